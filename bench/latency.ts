// `true` on the host: through the stub, against ssh per command, ssh over a ControlMaster, and the floor.
import { newID } from "../protocol/ids.js";
import type { BenchHost } from "./host.js";
import { OpenSsh } from "./openssh.js";
import type { Report } from "./report.js";
import { interleave, median, percentile } from "./samples.js";
import { openWorkspace, run, TRUE } from "./work.js";

export interface LatencyOptions {
  title: string;
  rounds: number;
  /** Rounds that are not counted: JavaScript is compiled while it runs, on both sides, and is not "hot" before. */
  warmup: number;
  pauseMs?: number;
  /** `best`: confined at the best level there is. */
  enforcement: "best" | "off";
  /** Of our p50 to the floor's. */
  limit: number;
}

export async function latency(host: BenchHost, report: Report, options: LatencyOptions): Promise<void> {
  const { remote } = await host.remote();
  const caller = {
    session: await openWorkspace(remote, host.work, options.enforcement),
    sessionID: newID("ses"),
  };
  const ssh = await OpenSsh.start(host.target);
  const shell = await ssh.shell();
  try {
    await run(caller, TRUE);
    const fast = await interleave(
      {
        floor: () => shell.line("sh -c true; echo"),
        ours: () => run(caller, TRUE),
        bashFloor: () => shell.line("SHLVL=2 bash -c true </dev/null; echo"),
        bashOurs: () => run(caller, "true"),
      },
      { rounds: options.rounds, warmup: options.warmup, pauseMs: options.pauseMs },
    );
    const slow = await interleave(
      { fresh: () => ssh.fresh("true"), shared: () => ssh.shared("true") },
      { rounds: Math.max(5, Math.floor(options.rounds / 20)), warmup: 1, pauseMs: options.pauseMs },
    );
    const p50 = (samples: number[] | undefined) => median(samples ?? []);
    const [ours, floor] = [p50(fast.ours), p50(fast.floor)];
    const [fresh, shared] = [p50(slow.fresh), p50(slow.shared)];
    report.section(`${options.title} (after ${options.warmup} rounds of warm-up)`);
    report.add({
      name: "ours, p50",
      value: ours,
      unit: "ms",
      note: `p95 ${percentile(fast.ours ?? [], 0.95).toFixed(2)} ms`,
    });
    report.add({ name: "floor: a line into one open `ssh host sh`, p50", value: floor, unit: "ms" });
    report.add({ name: "ours : floor", value: ours / floor, unit: "x", limit: options.limit });
    report.add({
      name: "ours : ssh host true over a ControlMaster",
      value: ours / shared,
      unit: "x",
      note: `${shared.toFixed(1)} ms`,
    });
    report.add({
      name: "ours : ssh host true",
      value: ours / fresh,
      unit: "x",
      note: `${fresh.toFixed(1)} ms`,
    });
    report.add({
      name: "the same by bash : a line by bash",
      value: p50(fast.bashOurs) / p50(fast.bashFloor),
      unit: "x",
      note: `${p50(fast.bashFloor).toFixed(2)} ms`,
    });
  } finally {
    shell.close();
    await ssh.stop();
    await remote.close();
  }
}
