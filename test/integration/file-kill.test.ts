// kill -9 in the middle of writes, two hundred times: the old content or the new, never a part; and nothing is left lying about.
import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { afterAll, beforeAll, expect } from "vitest";
import { Temporaries } from "../../stub/files/temporaries.js";
import { it } from "../fixtures/with-compiler.js";
import { eventually, workbench } from "../fixtures/workbench.js";

let folder: string;
let program: string;
beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "ocrs-kill-")));
  program = join(folder, "writer.mjs");
  // as JavaScript it starts fast enough for hundreds of kills
  const entry = join(import.meta.dirname, "../fixtures/file-writer.ts");
  await build({
    entryPoints: [entry],
    bundle: true,
    platform: "node",
    target: "node20",
    format: "esm",
    outfile: program,
    logLevel: "error",
  });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Kills a writer at some moment; true if the file was torn. */
async function killed(path: string, notes: string, way: string, afterMs: number): Promise<boolean> {
  const child = spawn(process.execPath, [program, path, notes, way], { stdio: ["ignore", "pipe", "inherit"] });
  const gone = new Promise((resolve) => child.once("exit", resolve));
  await new Promise((resolve) => child.stdout.once("data", resolve));
  await new Promise((resolve) => setTimeout(resolve, afterMs));
  child.kill("SIGKILL");
  await gone;
  const data = await readFile(path);
  return data.length < 400_000 || data.length % 100_000 !== 0 || data.some((byte) => byte !== data[0]);
}

it("leaves the old file or the new one in 200 kills, and its successors remove every half-written one", {
  timeout: 300_000,
}, async () => {
  const [directory, notes] = [join(folder, "ours"), join(folder, "notes")];
  await mkdir(directory);
  const path = join(directory, "file");
  let left = 0;
  for (let round = 0; round < 200; round += 1) {
    expect(await killed(path, notes, "ours", Math.random() * 12)).toBe(false);
    const names = await readdir(directory);
    // what the kill before left was removed by the writer that was killed now
    expect(names.length).toBeLessThanOrEqual(2);
    left += names.length - 1;
  }
  expect(left).toBeGreaterThan(0); // the kills did hit in the middle
  await (await Temporaries.open(notes)).sweep();
  expect(await readdir(directory)).toEqual(["file"]);
  expect(await readdir(notes)).toEqual([]);
});

it("the control, which writes in place, tears the file", { timeout: 300_000 }, async () => {
  const directory = join(folder, "in-place");
  await mkdir(directory);
  for (let round = 0; ; round += 1) {
    expect(round).toBeLessThan(200);
    if (await killed(join(directory, "file"), join(folder, "no-notes"), "in place", Math.random() * 12)) break;
  }
});

it("a stub removes what its predecessor left when it starts, and nothing else", { timeout: 60_000 }, async () => {
  const notes = join(folder, "stub-notes");
  await mkdir(notes);
  const work = join(folder, "work");
  const elsewhere = join(folder, "elsewhere");
  for (const directory of [work, elsewhere]) await mkdir(directory);
  const { boot, startTime } = {
    boot: (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim(),
    startTime: "1",
  };
  const note = async (path: string, id: string, of = boot) =>
    symlink(path, join(notes, `${process.pid}.${startTime}.${of}.${id.padStart(12, "0")}`));
  const make = async (path: string) => {
    await writeFile(path, "x");
    return path;
  };
  await note(await make(join(work, ".f.0123456789ab.tmp")), "1");
  await note(await make(join(work, "precious")), "2"); // no name of ours
  await make(join(elsewhere, ".g.0123456789ab.tmp"));
  await symlink(elsewhere, join(work, "swapped"));
  await note(join(work, "swapped/.g.0123456789ab.tmp"), "3"); // not the directory that it was made in
  const other = "00000000-0000-0000-0000-000000000000";
  await note(await make(join(work, ".h.0123456789ab.tmp")), "4", other); // of another machine, perhaps at work
  await (await Temporaries.open(notes)).sweep();
  expect((await readdir(work)).sort()).toEqual([".h.0123456789ab.tmp", "precious", "swapped"]);
  expect(await readdir(elsewhere)).toEqual([".g.0123456789ab.tmp"]);
  expect(await readdir(notes)).toHaveLength(1);

  await using bench = await workbench();
  const project = await bench.workspace();
  const litter = join(project.directory, ".f.0123456789ab.tmp");
  await writeFile(litter, "half");
  const writing = join(bench.stub.installRoot, "state/writing");
  await symlink(litter, join(writing, `${process.pid}.1.${boot}.0123456789ab`));
  const { installRoot } = bench.stub;
  process.kill(bench.stub.pid, "SIGKILL");
  const next = await workbench({ installRoot });
  await eventually(async () => ((await readdir(project.directory)).length === 0 ? true : undefined));
  await next.stub.stop();
});
