// Level `guard` against the same commands unconfined, by the real helper: each call that names a file costs two switches to its tracer.
import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Confinement } from "../stub/commands/request.js";
import { run } from "../test/fixtures/command-app.js";
import { guard, guardedApp, guardPolicy, scratchHome } from "../test/fixtures/guarded.js";
import type { Report } from "./report.js";
import { interleave, median } from "./samples.js";

const exec = promisify(execFile);
export const FILES = { inGit: 2000, searched: 5000, compiled: 30 };

interface Work {
  name: string;
  argv: string[];
  rounds: number;
}

export const WORK: Work[] = [
  { name: "sh -c true", argv: ["sh", "-c", "true"], rounds: 100 },
  { name: `git status, ${FILES.inGit} files`, argv: ["git", "-C", "git", "status", "--short"], rounds: 15 },
  { name: "git log", argv: ["git", "-C", "git", "log", "--oneline"], rounds: 15 },
  { name: "gcc, 500 lines", argv: ["gcc", "-O1", "-c", "-o", "long.o", "long.c"], rounds: 9 },
  { name: `make -j2, ${FILES.compiled} files`, argv: ["make", "-s", "-j2", "-B", "-C", "many"], rounds: 5 },
  {
    name: `grep -r, ${FILES.searched} files`,
    argv: ["grep", "-rc", "--no-messages", "-q", "nothing", "tree"],
    rounds: 9,
  },
  { name: "python3 -c 'import json, ssl, asyncio'", argv: ["python3", "-c", "import json, ssl, asyncio"], rounds: 15 },
  { name: "node -e 1", argv: ["node", "-e", "1"], rounds: 15 },
];

export async function guarded(report: Report): Promise<void> {
  await using place = await scratchHome();
  await layOut(place.project);
  const confinement = guard(await guardPolicy([place.project, place.temporary]));
  let level: Confinement | undefined;
  await using app = await guardedApp(async () => level);
  const env = { HOME: place.home, TMPDIR: place.temporary };
  const once = async (argv: string[], at: Confinement | undefined) => {
    level = at;
    const { end, error } = await run(app, { argv, cwd: place.project, env });
    const asExpected = end?.exit === (argv[0] === "grep" ? 1 : 0) && end.blocked === undefined;
    if (!asExpected) throw new Error(`${argv.join(" ")}: ${JSON.stringify(end ?? error)}`);
  };
  report.section("level guard against unconfined, by the helper itself");
  for (const { name, argv, rounds } of WORK) {
    const variants = { free: () => once(argv, undefined), held: () => once(argv, confinement) };
    const samples = await interleave(variants, { rounds, warmup: 2 });
    const [free, held] = [median(samples.free ?? []), median(samples.held ?? [])];
    report.add({ name, value: held / free, unit: "x", note: `${free.toFixed(1)} ms, ${held.toFixed(1)} ms held` });
  }
}

/** What the work is done on, below `project`. */
export async function layOut(project: string): Promise<void> {
  const lines = (count: number) =>
    Array.from({ length: count }, (_, i) => `int f${i}(int a) { return a * ${i}; }`).join("\n");
  await writeFile(
    join(project, "long.c"),
    `#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n${lines(500)}\n`,
  );
  await mkdir(join(project, "many"));
  const names = Array.from({ length: FILES.compiled }, (_, i) => `m${i}`);
  for (const name of names) await writeFile(join(project, "many", `${name}.c`), `#include <stdio.h>\n${lines(20)}\n`);
  const objects = names.map((name) => `${name}.o`).join(" ");
  await writeFile(join(project, "many/Makefile"), `all: ${objects}\n%.o: %.c\n\tgcc -c -o $@ $<\n`);
  await layFiles(join(project, "tree"), FILES.searched);
  await layFiles(join(project, "git"), FILES.inGit);
  const git = (...args: string[]) =>
    exec("git", ["-c", "user.name=bench", "-c", "user.email=bench@localhost", ...args], { cwd: join(project, "git") });
  await git("init", "-q");
  await git("add", ".");
  for (let i = 0; i < 5; i++) await git("commit", "-q", "--allow-empty", "-m", `commit ${i}`);
}

async function layFiles(root: string, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const folder = join(root, String(Math.floor(i / 50)));
    if (i % 50 === 0) await mkdir(folder, { recursive: true });
    await writeFile(join(folder, `${i}.txt`), `file ${i}\n`);
  }
}
