// The stub with nothing to do.
import { setTimeout as sleep } from "node:timers/promises";
import type { BenchHost } from "./host.js";
import { memoryOf } from "./memory.js";
import type { Report } from "./report.js";

export async function idleMemory(host: BenchHost, report: Report): Promise<void> {
  const { remote } = await host.remote();
  await (await remote.client("bench")).health();
  await remote.close();
  await sleep(2000);
  const memory = await memoryOf(await host.stubPid());
  report.section("stub, idle");
  report.add({ name: "anonymous memory", value: memory.anonymous, unit: "MB", limit: 30 });
  report.add({ name: "RSS", value: memory.rss, unit: "MB", limit: 80 });
}
