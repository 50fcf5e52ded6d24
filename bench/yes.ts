// `yes` for a minute without a reader: what it costs the host's disk and the stub's memory.
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { newID } from "../protocol/ids.js";
import { type BenchHost, HOST_NAME } from "./host.js";
import { memoryOf, peakDuring } from "./memory.js";
import type { Report } from "./report.js";
import { openWorkspace, run, TRUE } from "./work.js";

const SECONDS = 60;
const CAP_MB = 256;

export async function yes(host: BenchHost, report: Report, seconds: number = SECONDS): Promise<void> {
  const { remote } = await host.remote();
  const session = await openWorkspace(remote, host.work);
  const sessionID = newID("ses");
  try {
    await run({ session, sessionID }, TRUE);
    const client = await remote.client(HOST_NAME);
    const stub = await host.stubPid();
    const before = (await memoryOf(stub)).rss;
    const commandID = newID("cmd");
    let disk = 0;
    const peak = await peakDuring(stub, async () => {
      const { workspaceID } = session.state.destination;
      const body = { commandID, sessionID, workspaceID, argv: ["yes"], onAsk: "fail" };
      await client.send({ method: "POST", path: "/command", body });
      for (let i = 0; i < seconds; i++) {
        await sleep(1000);
        disk = Math.max(disk, await diskOf(join(host.root, "state/commands"), commandID));
      }
    });
    const { output } = await client.command(commandID);
    await client.cancel(commandID);
    report.section(`\`yes\` for ${seconds} s without a reader`);
    report.add({
      name: "disk of its logs, at most",
      value: disk,
      unit: "MB",
      limit: CAP_MB,
      note: `${(output.stdout / 1e9).toFixed(1)} GB printed`,
    });
    report.add({ name: "stub RSS grew by", value: peak - before, unit: "MB", limit: 64 });
  } finally {
    await remote.close();
  }
}

/** What the files of a command take, in MB. */
async function diskOf(directory: string, commandID: string): Promise<number> {
  let blocks = 0;
  for (const name of await readdir(directory)) {
    if (name.startsWith(commandID)) blocks += (await stat(join(directory, name))).blocks;
  }
  return (blocks * 512) / 1024 / 1024;
}
