// A warm connect, from nothing to a health answer, against one `ssh host true`.
import { mkdir } from "node:fs/promises";
import type { Remote } from "../plugin/compose.js";
import { type BenchHost, HOST_NAME } from "./host.js";
import { OpenSsh } from "./openssh.js";
import type { Report } from "./report.js";
import { interleave, median, now } from "./samples.js";

export async function connect(
  host: BenchHost,
  report: Report,
  options: { title: string; rounds: number; limit: number },
): Promise<void> {
  const first = await host.remote();
  const cold = now();
  await healthy(first.remote);
  const coldMs = now() - cold;
  await first.remote.close();

  const ssh = await OpenSsh.start(host.target);
  try {
    const samples = await interleave(
      { ours: () => again(host, first.state), ssh: () => ssh.fresh("true") },
      { rounds: options.rounds, warmup: 1 },
    );
    const ours = median(samples.ours ?? []);
    const theirs = median(samples.ssh ?? []);
    report.section(options.title);
    report.add({ name: "first connect of this laptop", value: coldMs, unit: "ms" });
    report.add({ name: "warm connect, p50", value: ours, unit: "ms" });
    report.add({
      name: "warm connect : ssh host true",
      value: ours / theirs,
      unit: "x",
      limit: options.limit,
      note: `${theirs.toFixed(0)} ms`,
    });
  } finally {
    await ssh.stop();
  }
}

/** A new process would do this: nothing in memory, the laptop's state on disk. */
async function again(host: BenchHost, state: string): Promise<void> {
  await mkdir(state, { recursive: true });
  const { remote } = await host.remote({ state });
  await healthy(remote);
  await remote.close();
}

async function healthy(remote: Remote): Promise<void> {
  const client = await remote.client(HOST_NAME);
  await client.health();
}
