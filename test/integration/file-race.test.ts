// Links that are swapped while a path is being used: the way through a pinned descriptor leaks nothing, checking a path and
// then opening it does. The naive way runs on the same swaps; if it does not leak, the race was none and the test fails.
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, realpath, rename, rm, symlink, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { rgPath } from "@vscode/ripgrep";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { codeOf } from "../../protocol/errors.js";
import { isWithin } from "../../protocol/paths.js";
import type { HeldProgram } from "../../stub/confinement/program.js";
import type { FileContext } from "../../stub/files/access.js";
import { runBatch } from "../../stub/files/batch.js";
import { list } from "../../stub/files/list.js";
import { move, mkdir as pinnedMkdir } from "../../stub/files/move.js";
import { readFile as pinnedRead } from "../../stub/files/read.js";
import { remove as pinnedRemove } from "../../stub/files/remove.js";
import { view } from "../../stub/files/view.js";
import { writeFile as pinnedWrite } from "../../stub/files/write.js";
import type { Pass } from "../../stub/permission/gate.js";
import { Search } from "../../stub/search/search.js";
import { Vcs } from "../../stub/vcs/vcs.js";
import { gitTree } from "../fixtures/git-tree.js";
import { gitPolicy } from "../fixtures/held-policy.js";
import { helperBinary } from "../fixtures/helper-binary.js";
import { hasProgram } from "../fixtures/programs.js";
import { python } from "../fixtures/python.js";

const PYTHON = await python();
const helper = await helperBinary();

/** Exchanges names as fast as it can (RENAME_EXCHANGE), until it is killed. */
const SWAPPER = `
import ctypes, sys
libc = ctypes.CDLL(None)
base = sys.argv[1].encode()
print("ready", flush=True)
while True:
  libc.renameat2(-100, base + b"/d", -100, base + b"/dl", 2)
  libc.renameat2(-100, base + b"/f", -100, base + b"/fl", 2)
`;

let folder: string;
let root: string;
let outside: string;
let swapper: ChildProcess;

beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "ocrs-race-")));
  root = join(folder, "ws");
  outside = join(folder, "out");
  await mkdir(join(root, "d/q"), { recursive: true });
  await layOut();
  await writeFile(join(root, "d/f"), "public");
  await writeFile(join(root, "d/q/f"), "public");
  await writeFile(join(root, "f"), "public");
  await symlink(outside, join(root, "dl"));
  await symlink(join(outside, "f"), join(root, "fl"));
  if (PYTHON === undefined) return;
  swapper = spawn(PYTHON, ["-c", SWAPPER, root], { stdio: ["ignore", "pipe", "inherit"] });
  await new Promise((resolve) => swapper.stdout?.once("data", resolve));
});

afterEach(async () => {
  swapper?.kill("SIGKILL");
  await rm(folder, { recursive: true, force: true });
});

/** What is approved: the root, by component; everything else is refused without asking. */
function context(): FileContext {
  const allows = (path: string) => isWithin(path, root);
  const require = async ({ path }: { path: string }) => {
    if (!allows(path)) throw Object.assign(new Error(`denied ${path}`), { code: "EDENIED" });
  };
  const requireAll = async (wanted: { target: { path: string } }[]) => {
    for (const { target } of wanted) await require(target);
  };
  const asker = { signal: new AbortController().signal };
  const pass = { allows, require, requireAll, asker } as unknown as Pass;
  return { pass, base: { directory: root, home: "/nonexistent" }, installRoot: "/nonexistent", umask: 0o022 };
}

/** The ways of one operation; each gives true when it reached outside. Refusals are part of the game. */
interface Attack {
  what: string;
  naive(): Promise<boolean>;
  ours(): Promise<boolean>;
}

const at = (...names: string[]) => join(root, ...names);
const text = (value: { toString(): string }) => value.toString().includes("SECRET");

async function searched(directory: string): Promise<string> {
  const { stdout } = await promisify(execFile)(rgPath, ["--no-config", "SECRET|public", "."], { cwd: directory });
  return stdout;
}

/** What is outside and should not be, or is gone and should not; put back as it was. */
async function disturbed(): Promise<boolean> {
  const names = (await readdir(outside)).sort();
  if (names.join() === "f,q,victim" && (await readFile(join(outside, "victim"), "utf8")) === "kept") return false;
  await layOut();
  return true;
}

async function layOut(): Promise<void> {
  await rm(outside, { recursive: true, force: true });
  await mkdir(join(outside, "q"), { recursive: true });
  for (const name of ["f", "q/f"]) await writeFile(join(outside, name), "SECRET");
  await writeFile(join(outside, "victim"), "kept");
}

const ATTACKS: Attack[] = [
  {
    what: "reading a file in a directory that is swapped",
    naive: async () => text(await checked(at("d/f"), (path) => readFile(path))),
    ours: async () => text((await pinnedRead(context(), at("d/f"))).data),
  },
  {
    what: "reading a file that is swapped itself",
    naive: async () => text(await checked(at("f"), (path) => readFile(path))),
    ours: async () => text((await pinnedRead(context(), at("f"))).data),
  },
  {
    what: "reading a file two directories below a swapped one",
    naive: async () => text(await checked(at("d/q/f"), (path) => readFile(path))),
    ours: async () => text((await pinnedRead(context(), at("d/q/f"))).data),
  },
  {
    what: "showing a file",
    naive: async () => text(await checked(at("d/f"), (path) => readFile(path))),
    ours: async () => text(JSON.stringify(await view(context(), { path: at("d/f") }))),
  },
  {
    what: "listing a directory",
    naive: async () => (await checked(at("d"), (path) => readdir(path))).includes("victim"),
    ours: async () => (await list(context(), at("d"))).some(({ name }) => name === "victim"),
  },
  {
    what: "writing a file",
    naive: async () => {
      await checked(at("d"), () => writeFile(at("d/made"), "written")).catch(refusal);
      return disturbed();
    },
    ours: async () => {
      await pinnedWrite(context(), { path: at("d/made"), data: Buffer.from("written") }).catch(refusal);
      return disturbed();
    },
  },
  {
    what: "writing over a file that is swapped itself",
    naive: async () => {
      await checked(at("f"), (path) => writeFile(path, "written")).catch(refusal);
      if ((await readFile(join(outside, "f"), "utf8")) === "SECRET") return false;
      await layOut();
      return true;
    },
    ours: async () => {
      await pinnedWrite(context(), { path: at("f"), data: Buffer.from("public") }).catch(refusal);
      return (await readFile(join(outside, "f"), "utf8")) !== "SECRET";
    },
  },
  {
    what: "removing a file",
    naive: async () => {
      await writeFile(at("d/victim"), "").catch(refusal);
      await layOut();
      await checked(at("d"), () => unlink(at("d/victim"))).catch(refusal);
      return disturbed();
    },
    ours: async () => {
      await pinnedRemove(context(), { path: at("d/victim") }).catch(refusal);
      return disturbed();
    },
  },
  {
    what: "moving a file in",
    naive: async () => {
      await writeFile(at("source"), "moved");
      await checked(at("d"), () => rename(at("source"), at("d/moved"))).catch(refusal);
      return disturbed();
    },
    ours: async () => {
      await writeFile(at("source"), "moved");
      await move(context(), { from: at("source"), to: at("d/moved"), overwrite: true }).catch(refusal);
      return disturbed();
    },
  },
  {
    what: "moving a file away",
    naive: async () => {
      await writeFile(at("d/victim"), "").catch(refusal);
      await layOut();
      await checked(at("d"), () => rename(at("d/victim"), at("taken"))).catch(refusal);
      return disturbed();
    },
    ours: async () => {
      await move(context(), { from: at("d/victim"), to: at("taken"), overwrite: true }).catch(refusal);
      return disturbed();
    },
  },
  {
    what: "making directories",
    naive: async () => {
      await checked(at("d"), () => mkdir(at("d/deep/er"), { recursive: true })).catch(refusal);
      return disturbed();
    },
    ours: async () => {
      await pinnedMkdir(context(), { path: at("d/deep/er"), parents: true }).catch(refusal);
      return disturbed();
    },
  },
  {
    what: "a batch of looks and writes",
    naive: async () => text(await checked(at("d/f"), (path) => readFile(path))),
    ours: async () => {
      const write = { op: "write" as const, path: at("d/batched"), base64: "" };
      const steps = [
        write,
        { op: "read" as const, path: at("d/f") },
        { op: "move" as const, from: at("d/batched"), to: at("d/b2") },
      ];
      const results = await runBatch(context(), { steps }).catch(refusal);
      const { base64 = "" } = results?.[1] ?? {};
      return text(Buffer.from(base64, "base64")) || disturbed();
    },
  },
  {
    what: "searching in a directory that is swapped",
    naive: async () => text(await checked(at("d"), searched)),
    ours: async () => text(JSON.stringify(await search.grep(context(), { pattern: "SECRET|public", path: at("d") }))),
  },
  {
    what: "searching above a directory that is swapped while ripgrep walks",
    naive: async () => text(await searched(root)),
    ours: async () => text(JSON.stringify(await search.grep(context(), { pattern: "SECRET|public", path: root }))),
  },
  {
    what: "looking for names above a directory that is swapped while ripgrep walks",
    naive: async () => (await promisify(execFile)(rgPath, ["--files"], { cwd: root })).stdout.includes("victim"),
    ours: async () => {
      const { files } = await search.glob(context(), { pattern: "**/victim", path: root });
      return files.length > 0;
    },
  },
];

const search = new Search({ ripgrep: rgPath });

/** What walks by name on its own while names are swapped: ripgrep, git. Where a kernel level is in force that holds them. */
function walks(level: HeldProgram["level"]): Attack[] {
  const hold = (policy: Buffer) => ({ helper, level, policy });
  const held = new Search({ ripgrep: rgPath, hold: (_workspace, policy) => hold(policy()) });
  const loginEnvironment = async () => ({ PATH: "/usr/bin:/bin", HOME: "/nonexistent" });
  const vcs = new Vcs({ loginEnvironment, hold: () => hold(gitPolicy(root)) });
  return [
    {
      what: "grep",
      naive: async () => text(await searched(root)),
      ours: async () => text(JSON.stringify(await held.grep(context(), { pattern: "SECRET|public", path: root }))),
    },
    {
      what: "glob",
      naive: async () => (await promisify(execFile)(rgPath, ["--files"], { cwd: root })).stdout.includes("victim"),
      ours: async () => (await held.glob(context(), { pattern: "**/victim", path: root })).files.length > 0,
    },
    {
      what: "vcs",
      naive: async () => text((await promisify(execFile)("git", ["diff"], { cwd: root })).stdout),
      ours: async () => text(await vcs.raw(context())),
    },
  ];
}

/** A repository in the root whose files are all changed; made without a look at the files, which are swapped. */
async function committed(): Promise<void> {
  const tree = gitTree(root);
  await writeFile(at("other"), "committed\n");
  const blob = tree.git("hash-object", "-w", "other").trim();
  for (const name of ["d/f", "d/q/f", "f"]) tree.git("update-index", "--add", "--cacheinfo", `100644,${blob},${name}`);
  tree.git("commit", "-q", "-m", "c");
}

/** Only what has a code is a refusal; everything else is a defect of the test. */
function refusal(error: unknown): undefined {
  if (codeOf(error) === undefined && typeof (error as { code?: unknown }).code !== "number") throw error;
}

/** Checks the real path, then uses the path: what one would write without thinking of swaps. */
async function checked<T>(path: string, use: (path: string) => Promise<T>): Promise<T> {
  if (!isWithin(await realpath(path), root)) throw Object.assign(new Error("denied"), { code: "EDENIED" });
  return use(path);
}

/** Rounds in which it reached outside, was refused, or did what it should; until `most` rounds or the first leak. */
async function attack(way: () => Promise<boolean>, rounds: number, untilLeak: boolean) {
  const tally = { leaks: 0, refused: 0, done: 0 };
  for (let round = 0; round < rounds; round += 1) {
    try {
      if (await way()) tally.leaks += 1;
      else tally.done += 1;
    } catch (error) {
      refusal(error);
      tally.refused += 1;
    }
    if (untilLeak && tally.leaks > 0) break;
  }
  return tally;
}

describe.skipIf(PYTHON === undefined)(
  `files behind swapped links${PYTHON === undefined ? " (skipped: no python3 to swap them)" : ""}`,
  () => {
    for (const { what, naive, ours } of ATTACKS) {
      it(`${what}: checking first and using the path then reaches outside, ours never does`, {
        timeout: 120_000,
      }, async () => {
        const control = await attack(naive, 100_000, true);
        expect(control.leaks).toBeGreaterThan(0);
        const tally = await attack(ours, what.startsWith("search") || what.startsWith("looking") ? 60 : 600, false);
        expect(tally.leaks).toBe(0);
        expect(tally.done).toBeGreaterThan(0);
      });
    }

    it.skipIf(!hasProgram("git")).each(["landlock", "mount"] as const)(
      "grep, glob and git that the kernel holds at level %s reach nothing outside; as they are, they do",
      { timeout: 120_000 },
      async (level) => {
        await committed();
        for (const { what, naive, ours } of walks(level)) {
          expect([what, (await attack(naive, 100_000, true)).leaks]).toEqual([what, 1]);
          const { leaks, done } = await attack(ours, 20, false);
          expect([what, leaks, done > 0]).toEqual([what, 0, true]);
        }
      },
    );

    it("removing a tree whose directories are swapped takes nothing outside along", { timeout: 120_000 }, async () => {
      await mkdir(join(outside, "precious"));
      await writeFile(join(outside, "precious/f"), "kept");
      for (let round = 0; round < 1500; round += 1) {
        await pinnedRemove(context(), { path: join(root, "d"), recursive: true }).catch((error: unknown) => {
          if (codeOf(error) === undefined) throw error;
        });
        await mkdir(join(root, "d")).catch(() => undefined);
        await writeFile(join(root, "d/precious"), "").catch(() => undefined);
        if (round % 10 === 0) await symlink(outside, join(root, "dl")).catch(() => undefined);
      }
      expect((await readdir(outside)).sort()).toEqual(["f", "precious", "q", "victim"]);
      expect(await readFile(join(outside, "precious/f"), "utf8")).toBe("kept");
    });
  },
);
