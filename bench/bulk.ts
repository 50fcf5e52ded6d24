// 100 MB of output: time against ssh over a ControlMaster; memory of the stub and of this process, with a slow reader too.
import { newID } from "../protocol/ids.js";
import type { BenchHost } from "./host.js";
import { memoryOf, peakDuring } from "./memory.js";
import { OpenSsh } from "./openssh.js";
import type { Report } from "./report.js";
import { interleave, median } from "./samples.js";
import { openWorkspace, run } from "./work.js";

const BYTES = 100 * 1024 * 1024;
const PRINT = `head -c ${BYTES} /dev/zero`;

export async function bulk(host: BenchHost, report: Report): Promise<void> {
  const { remote } = await host.remote();
  const caller = {
    session: await openWorkspace(remote, host.work),
    sessionID: newID("ses"),
  };
  const ssh = await OpenSsh.start(host.target);
  try {
    await run(caller, "true");
    const stub = await host.stubPid();
    const before = { stub: (await memoryOf(stub)).rss, client: (await memoryOf(process.pid)).rss };
    const ours = async () => {
      let bytes = 0;
      await run(caller, PRINT, (chunk) => {
        bytes += chunk.data.length;
      });
      if (bytes !== BYTES) throw new Error(`${bytes} bytes arrived`);
    };
    let stubPeak = 0;
    const clientPeak = await peakDuring(process.pid, async () => {
      stubPeak = await peakDuring(stub, async () => {
        const samples = await interleave(
          { ours, ssh: () => ssh.bytes(PRINT) },
          { rounds: 15, warmup: 2, before: () => host.dropLogs() },
        );
        report.section("100 MB of output, loopback");
        const [a, b] = [median(samples.ours ?? []), median(samples.ssh ?? [])];
        report.add({ name: "ours, p50", value: a, unit: "ms" });
        report.add({
          name: "ours : ssh over a ControlMaster",
          value: a / b,
          unit: "x",
          limit: 1.3,
          note: `${b.toFixed(0)} ms`,
        });
      });
    });
    report.add({ name: "stub RSS grew by", value: stubPeak - before.stub, unit: "MB", limit: 64 });
    report.add({ name: "client RSS grew by", value: clientPeak - before.client, unit: "MB", limit: 64 });

    const idle = { stub: (await memoryOf(stub)).rss, client: (await memoryOf(process.pid)).rss };
    let slowStub = 0;
    const slowClient = await peakDuring(process.pid, async () => {
      slowStub = await peakDuring(stub, () =>
        run(caller, PRINT, async (chunk) => {
          // about 20 MB/s, while the command prints at several hundred
          await new Promise((resolve) => setTimeout(resolve, chunk.data.length / 20_000));
        }),
      );
    });
    report.add({ name: "slow reader: stub RSS grew by", value: slowStub - idle.stub, unit: "MB", limit: 64 });
    report.add({ name: "slow reader: client RSS grew by", value: slowClient - idle.client, unit: "MB", limit: 64 });
  } finally {
    await ssh.stop();
    await remote.close();
  }
}
