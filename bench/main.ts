// npm run bench [SECTION…]: every figure beside its limit, as ratios within this run; exit 1 on a miss.
// Sections: latency idle wan connect memory bulk (default: all).
import { mkdir } from "node:fs/promises";
import { bulk } from "./bulk.js";
import { connect } from "./connect.js";
import { startBenchHost } from "./host.js";
import { latency } from "./latency.js";
import { memoryOf } from "./memory.js";
import { Report } from "./report.js";
import { startWanProcess } from "./wan-process.js";

const ONE_WAY_MS = 26;
const wanted = process.argv.slice(2);
const doing = (section: string) => wanted.length === 0 || wanted.includes(section);

const report = new Report();
const host = await startBenchHost();
const wan = await startWanProcess({ target: host.sshd.port, delayMs: ONE_WAY_MS });
let status = 1;
try {
  await mkdir(host.sshd.home.replace(/home$/, "work"), { recursive: true });
  await host.alsoAt(wan.port);
  const { port } = host.sshd;
  const { remote } = await host.remote();
  await (await remote.client("bench")).health();
  await remote.close();
  if (doing("memory")) {
    await new Promise((resolve) => setTimeout(resolve, 2000));
    const memory = await memoryOf(await host.stubPid());
    report.section("stub, idle");
    report.add({ name: "anonymous memory", value: memory.anonymous, unit: "MB", limit: 30 });
    report.add({ name: "RSS", value: memory.rss, unit: "MB", limit: 80 });
  }
  if (doing("connect")) await connect(host, report, { title: "connect, loopback", port, rounds: 15, limit: 0.6 });
  if (doing("latency")) await latency(host, report, { title: "`true`, loopback, hot", port, rounds: 400, limit: 1.8 });
  if (doing("idle")) {
    await latency(host, report, {
      title: "`true`, loopback, 60 ms of idle before each",
      port,
      rounds: 60,
      pauseMs: 60,
      limit: 2.5,
    });
  }
  if (doing("wan")) {
    await connect(host, report, {
      title: `connect, ${2 * ONE_WAY_MS} ms round trip`,
      port: wan.port,
      rounds: 7,
      limit: 0.8,
    });
    await latency(host, report, {
      title: `\`true\`, ${2 * ONE_WAY_MS} ms round trip`,
      port: wan.port,
      rounds: 40,
      limit: 1.1,
    });
  }
  if (doing("bulk")) await bulk(host, report);
  status = report.finish();
} finally {
  wan.stop();
  await host.stop();
}
process.exit(status);
