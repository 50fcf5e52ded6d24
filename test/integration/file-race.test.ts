// Links that are swapped while a path is being used: the way through a pinned descriptor leaks nothing, checking a path and
// then opening it does. The naive way runs on the same swaps; if it does not leak, the race was none and the test fails.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, mkdtemp, open, readdir, readFile, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { codeOf } from "../../protocol/errors.js";
import { isWithin } from "../../protocol/paths.js";
import type { FileContext } from "../../stub/files/access.js";
import { readFile as pinnedRead } from "../../stub/files/read.js";
import { remove as pinnedRemove } from "../../stub/files/remove.js";
import { writeFile as pinnedWrite } from "../../stub/files/write.js";
import type { Pass } from "../../stub/permission/gate.js";
import { python } from "../fixtures/python.js";

const PYTHON = await python();

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
  await mkdir(join(root, "d"), { recursive: true });
  await mkdir(outside);
  await writeFile(join(outside, "f"), "SECRET");
  await writeFile(join(root, "d/f"), "public");
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
  const pass = { allows, require } as unknown as Pass;
  return { pass, base: { directory: root, home: "/nonexistent" }, installRoot: "/nonexistent", umask: 0o022 };
}

async function check(path: string): Promise<void> {
  if (!isWithin(await realpath(path), root)) throw Object.assign(new Error("denied"), { code: "EDENIED" });
}

const naive = {
  async read(path: string) {
    await check(path);
    return readFile(path, "utf8");
  },
  async write(path: string, data: string) {
    await check(dirname(path));
    await using file = await open(path, "w");
    await file.writeFile(data);
  },
};

const pinned = {
  read: async (path: string) => (await pinnedRead(context(), path)).data.toString(),
  write: async (path: string, data: string) => void (await pinnedWrite(context(), { path, data: Buffer.from(data) })),
};

interface Tally {
  reads: number;
  leaks: number;
  writes: number;
  escapes: number;
  denied: number;
}

/** Works until it has leaked both ways (the naive way is expected to) or `rounds` are over. */
async function attack(way: typeof naive, rounds: number, untilLeaked: boolean): Promise<Tally> {
  const tally: Tally = { reads: 0, leaks: 0, writes: 0, escapes: 0, denied: 0 };
  for (let round = 0; round < rounds; round += 1) {
    for (const path of [join(root, "d/f"), join(root, "f")]) {
      const text = await way.read(path).catch((error: unknown) => refusal(error, tally));
      if (text === "SECRET") tally.leaks += 1;
      else if (text !== undefined) tally.reads += 1;
    }
    await way.write(join(root, "d/w"), "written").then(
      () => {
        tally.writes += 1;
      },
      (error: unknown) => refusal(error, tally),
    );
    const strangers = (await readdir(outside)).filter((name) => name !== "f");
    tally.escapes += strangers.length;
    for (const name of strangers) await rm(join(outside, name), { force: true });
    if (untilLeaked && tally.leaks > 0 && tally.escapes > 0) break;
  }
  return tally;
}

function refusal(error: unknown, tally: Tally): undefined {
  if (codeOf(error) === undefined) throw error;
  tally.denied += 1;
}

describe.skipIf(PYTHON === undefined)(
  `files behind swapped links${PYTHON === undefined ? " (skipped: no python3 to swap them)" : ""}`,
  () => {
    it("checking the real path first and opening then leaks reads and writes: the race is real", {
      timeout: 120_000,
    }, async () => {
      const tally = await attack(naive, 200_000, true);
      expect(tally.leaks).toBeGreaterThan(0);
      expect(tally.escapes).toBeGreaterThan(0);
    });

    it("pinning first, deciding on what was pinned, and using only that leaks nothing", {
      timeout: 120_000,
    }, async () => {
      const tally = await attack(pinned, 4000, false);
      expect(tally).toMatchObject({ leaks: 0, escapes: 0 });
      expect(tally.reads).toBeGreaterThan(100);
      expect(tally.writes).toBeGreaterThan(100);
      expect(tally.denied).toBeGreaterThan(100);
    });

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
      expect((await readdir(outside)).sort()).toEqual(["f", "precious"]);
      expect(await readFile(join(outside, "precious/f"), "utf8")).toBe("kept");
    });
  },
);
