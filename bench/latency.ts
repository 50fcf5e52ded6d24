// `true` on the host: through the stub, against ssh per command, ssh over a ControlMaster, and the floor.
import { newID } from "../protocol/ids.js";
import type { BenchHost } from "./host.js";
import { OpenSsh } from "./openssh.js";
import type { Report } from "./report.js";
import { interleave, median, percentile } from "./samples.js";
import { openWorkspace, run } from "./work.js";

export interface LatencyOptions {
  title: string;
  port: number;
  rounds: number;
  pauseMs?: number;
  /** Of our p50 to the floor's. */
  limit: number;
}

export async function latency(host: BenchHost, report: Report, options: LatencyOptions): Promise<void> {
  const { remote } = await host.remote({ port: options.port });
  const caller = {
    session: await openWorkspace(remote, host.sshd.home.replace(/home$/, "work")),
    sessionID: newID("ses"),
  };
  const ssh = await OpenSsh.start({ ...host.sshd, port: options.port });
  const shell = await ssh.shell();
  try {
    await run(caller, "true");
    const fast = await interleave(
      { floor: () => shell.line("sh -c true; echo"), ours: () => run(caller, "true") },
      { rounds: options.rounds, warmup: 20, pauseMs: options.pauseMs },
    );
    const slow = await interleave(
      { fresh: () => ssh.fresh("true"), shared: () => ssh.shared("true") },
      { rounds: Math.max(5, Math.floor(options.rounds / 20)), warmup: 1, pauseMs: options.pauseMs },
    );
    const p50 = {
      floor: median(fast.floor ?? []),
      ours: median(fast.ours ?? []),
      fresh: median(slow.fresh ?? []),
      shared: median(slow.shared ?? []),
    };
    report.section(options.title);
    report.add({
      name: "ours, p50",
      value: p50.ours,
      unit: "ms",
      note: `p95 ${percentile(fast.ours ?? [], 0.95).toFixed(2)} ms`,
    });
    report.add({ name: "floor: a line into one open `ssh host sh`, p50", value: p50.floor, unit: "ms" });
    report.add({ name: "ours : floor", value: p50.ours / p50.floor, unit: "x", limit: options.limit });
    report.add({
      name: "ours : ssh host true over a ControlMaster",
      value: p50.ours / p50.shared,
      unit: "x",
      note: `${p50.shared.toFixed(1)} ms`,
    });
    report.add({
      name: "ours : ssh host true",
      value: p50.ours / p50.fresh,
      unit: "x",
      note: `${p50.fresh.toFixed(1)} ms`,
    });
  } finally {
    shell.close();
    await ssh.stop();
    await remote.close();
  }
}
