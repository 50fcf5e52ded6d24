// 200 files of 10 kB, read as one turn of an agent reads them: all at once. In round trips of the link, and beside `ssh host cat`.
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { FAR_RTT_MS } from "./far-host.js";
import type { BenchHost } from "./host.js";
import { OpenSsh } from "./openssh.js";
import type { Report } from "./report.js";
import { interleave, median, now } from "./samples.js";
import { openWorkspace } from "./work.js";

const FILES = 200;
const BYTES = 10_000;
/** Sessions that sshd allows at once unless it is told otherwise. */
const SSH_AT_ONCE = 10;

export async function farFiles(host: BenchHost, report: Report, name: string): Promise<void> {
  const { remote } = await host.remote();
  const { work } = host;
  const directory = join(work, "files");
  await mkdir(directory);
  const paths = Array.from({ length: FILES }, (_, index) => join(directory, `${index}.ts`));
  const text = (index: number) =>
    `// ${index}\n${"export const answer = 42; // as ever\n".repeat(300)}`.slice(0, BYTES);
  for (const [index, path] of paths.entries()) await writeFile(path, text(index));
  const session = await openWorkspace(remote, work);
  const ssh = await OpenSsh.start(host.target);
  try {
    await session.stat(".");
    const shown = await Promise.all(paths.map((path) => session.view(path)));
    if (shown.some((view) => view.type !== "text" || view.content?.length !== BYTES)) throw new Error("not the files");
    const samples = await interleave(
      {
        view: () => Promise.all(paths.map((path) => session.view(path))),
        read: () => Promise.all(paths.map((path) => session.readFile(path))),
        one: () => session.view(paths[0] as string),
      },
      { rounds: 15, warmup: 1 },
    );
    const [view, read, one] = [samples.view, samples.read, samples.one].map((each) => median(each ?? [])) as [
      number,
      number,
      number,
    ];
    const cat = await catAll(ssh, paths);
    report.section(`${FILES} files of ${BYTES / 1000} kB at once, ${name}`);
    report.add({
      name: "as the read tool shows them : a round trip",
      value: view / FAR_RTT_MS,
      unit: "x",
      limit: 6,
      note: `${view.toFixed(0)} ms`,
    });
    report.add({
      name: "as bytes : a round trip",
      value: read / FAR_RTT_MS,
      unit: "x",
      limit: 6,
      note: `${read.toFixed(0)} ms`,
    });
    report.add({
      name: "one file alone : a round trip",
      value: one / FAR_RTT_MS,
      unit: "x",
      note: `${one.toFixed(0)} ms`,
    });
    report.add({
      name: `ours : ssh host cat over a ControlMaster, ${SSH_AT_ONCE} at once`,
      value: view / cat,
      unit: "x",
      limit: 0.5,
      note: `${cat.toFixed(0)} ms`,
    });
  } finally {
    await ssh.stop();
    await session.close();
    await remote.close();
    await rm(directory, { recursive: true, force: true });
  }
}

async function catAll(ssh: OpenSsh, paths: string[]): Promise<number> {
  const start = now();
  const left = [...paths];
  const worker = async () => {
    for (let path = left.pop(); path !== undefined; path = left.pop()) await ssh.bytes(`cat ${path}`);
  };
  await Promise.all(Array.from({ length: SSH_AT_ONCE }, worker));
  return now() - start;
}
