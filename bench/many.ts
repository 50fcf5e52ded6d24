// 16 commands at once, again and again: through the stub, and as 16 channels of one ssh ControlMaster.
import { newID } from "../protocol/ids.js";
import type { BenchHost } from "./host.js";
import { OpenSsh } from "./openssh.js";
import type { Report } from "./report.js";
import { interleave, median } from "./samples.js";
import { openWorkspace, run, TRUE } from "./work.js";

const AT_ONCE = 16;
const OURS_EACH = 20;
/** A tenth as fast: as long a sample. */
const SSH_EACH = 2;

export async function many(host: BenchHost, report: Report): Promise<void> {
  const { remote } = await host.remote();
  const session = await openWorkspace(remote, host.work);
  const ssh = await OpenSsh.start(host.target);
  try {
    const samples = await interleave(
      {
        ours: () => atOnce(OURS_EACH, () => run({ session, sessionID: newID("ses") }, TRUE)),
        ssh: () => atOnce(SSH_EACH, () => ssh.shared("true")),
      },
      { rounds: 9, warmup: 2 },
    );
    const perSecond = (taken: number[] | undefined, each: number) => (AT_ONCE * each * 1000) / median(taken ?? []);
    const ours = perSecond(samples.ours, OURS_EACH);
    const theirs = perSecond(samples.ssh, SSH_EACH);
    report.section(`${AT_ONCE} commands at once, loopback`);
    report.add({ name: "ours, commands a second", value: ours, unit: "/s" });
    report.add({
      name: "a command over a ControlMaster : one of ours, in time",
      value: ours / theirs,
      unit: "x",
      least: 1,
      note: `${theirs.toFixed(0)} a second`,
    });
  } finally {
    await ssh.stop();
    await remote.close();
  }
}

/** `each` after each other, in 16 rows beside each other. */
export async function atOnce(each: number, work: () => Promise<unknown>): Promise<void> {
  const row = async () => {
    for (let i = 0; i < each; i++) await work();
  };
  await Promise.all(Array.from({ length: AT_ONCE }, row));
}
