// A stub with 10,000 finished commands in its state: how fast it starts, and whether a command takes longer than on a stub with none.
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { newID } from "../protocol/ids.js";
import { INSTALL } from "../protocol/install.js";
import { isHealthy, readAnnounced } from "../stub/announce.js";
import { endStub } from "../test/ssh/fixtures/stub-host.js";
import { type BenchHost, startBenchHost } from "./host.js";
import { atOnce } from "./many.js";
import type { Report } from "./report.js";
import { interleave, median, now } from "./samples.js";
import { openWorkspace, run, TRUE } from "./work.js";

const COMMANDS = 10_000;
const STARTS = 5;

export async function ended(empty: BenchHost, report: Report): Promise<void> {
  const full = await startBenchHost();
  try {
    const filling = await caller(full);
    const sessionID = newID("ses");
    await atOnce(COMMANDS / 16, () => run({ ...filling, sessionID }, TRUE));
    await filling.remote.close();
    const starts: number[] = [];
    for (let i = 0; i < STARTS; i++) starts.push(await start(full.root));

    // started anew as well: a process that has run for a while is faster by its compiled code alone
    const installing = await caller(empty);
    await run(installing, TRUE);
    await installing.remote.close();
    await start(empty.root);
    const [one, other] = [await caller(empty), await caller(full)];
    const samples = await interleave(
      { empty: () => run(one, TRUE), full: () => run(other, TRUE) },
      { rounds: 300, warmup: 300 },
    );
    await one.remote.close();
    await other.remote.close();
    const [without, with_] = [median(samples.empty ?? []), median(samples.full ?? [])];
    report.section(`${COMMANDS} finished commands in the state`);
    report.add({
      name: "start of the stub, from the launcher to the first answer",
      value: median(starts),
      unit: "ms",
      limit: 1000,
    });
    report.add({
      name: "`true`, p50 : without them",
      value: with_ / without,
      unit: "x",
      limit: 1.1,
      note: `${without.toFixed(2)} ms`,
    });
  } finally {
    await full.stop();
  }
}

async function caller(host: BenchHost) {
  const { remote } = await host.remote();
  return { remote, session: await openWorkspace(remote, host.work), sessionID: newID("ses") };
}

/** From the launcher to a health answer, in milliseconds. */
async function start(root: string): Promise<number> {
  await endStub(root);
  const began = now();
  await promisify(execFile)(join(root, INSTALL.binary), ["--daemonize", "--install-root", root], {
    env: { ...process.env, HOME: dirname(root) },
  });
  while (!(await isUp(root))) await sleep(5);
  return now() - began;
}

async function isUp(root: string): Promise<boolean> {
  const stub = await readAnnounced(join(root, "run"));
  if (stub === undefined) return false;
  return await isHealthy(stub, (await readFile(join(root, INSTALL.token), "utf8")).trim(), AbortSignal.timeout(2000));
}
