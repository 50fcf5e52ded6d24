// A host without room for the stub: a clear outcome each, and nothing left behind.
import { spawn, spawnSync } from "node:child_process";
import { chmod, copyFile, readdir, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { smallDisk } from "../fixtures/small-disk.js";
import { canBuild, canMount, reason } from "./fixtures/needs.js";
import { standIn } from "./fixtures/one-files.js";
import { outcome, run, scratch, until } from "./fixtures/run.js";

const left = async (root: string) =>
  (await readdir(join(root, "bin")).catch((): string[] => [])).filter((name) => name !== ".lock");

describe.skipIf(!canBuild)(`where room is missing${reason(canBuild, "gcc, g++, musl-gcc and patchelf")}`, () => {
  let file: string;
  beforeAll(async () => {
    file = await standIn();
  }, 300_000);

  it("an address space below 1.5 GB is refused before anything is written", async () => {
    await using home = await scratch();
    const root = join(home.path, "root");
    const result = await run("sh", ["-c", 'ulimit -v 1000000; exec "$0" --install-root "$1"', file, root]);
    expect(result).toMatchObject({ code: 73, stdout: "" });
    expect(result.stderr).toMatch(/^error address_space_limited: .*1024 MB \(ulimit -v\), 1500 MB are needed\n$/);
    expect(await readdir(home.path)).toEqual([]);
  });

  it("an address space of just over 1.5 GB is enough to run in", async () => {
    await using home = await scratch();
    const script = 'ulimit -v 1500000; exec "$0" --install-root "$1" --probe';
    const result = await run("sh", ["-c", script, file, join(home.path, "root")]);
    expect(result).toMatchObject({ code: 0, stderr: "" });
    expect(JSON.parse(result.stdout)).toMatchObject({ pty: { ok: true } });
  });

  it("a limit on the size of files is named, and the half-written part is removed", async () => {
    await using home = await scratch();
    const root = join(home.path, "root");
    const result = await run("sh", ["-c", 'ulimit -f 20000; exec "$0" --install-root "$1"', file, root]);
    expect(result).toMatchObject({ code: 70, stdout: "" });
    expect(result.stderr).toMatch(/^error install_failed: .*ulimit -f.*\n$/);
    expect(await left(root)).toEqual([]);
  });

  it("a home that is missing is made, one that is a file is named", async () => {
    await using home = await scratch();
    await writeFile(join(home.path, "file"), "");
    const result = await run(file, ["--install-root", join(home.path, "file/root")]);
    expect(result).toMatchObject({ code: 70 });
    expect(result.stderr).toMatch(/^error install_failed: .*\/file\/root: Not a directory\n$/);
    expect(await run(file, ["--install-root", join(home.path, "a/b/c")])).toMatchObject({ code: 0, stderr: "" });
  });

  it("without a home it asks for one, and names no place of its own", async () => {
    // where another user can reach it: the checkout may lie in somebody's closed home
    await using place = await scratch();
    await chmod(place.path, 0o755);
    const reachable = join(place.path, "stub");
    await copyFile(file, reachable);
    const result = await run(reachable, [], {
      env: { HOME: "relative" },
      uid: process.getuid?.() === 0 ? 54321 : undefined,
    });
    if (process.getuid?.() === 0) {
      expect(result).toMatchObject({ code: 70 });
      expect(result.stderr).toMatch(/^error install_failed: no home directory: .*\n$/);
    } else expect(result.stderr).not.toContain("no home directory");
  });

  describe.skipIf(!canMount)(`on a file system of its own${reason(canMount, "root that may mount")}`, () => {
    it("a full disk is refused before anything is written", async () => {
      await using disk = await smallDisk("size=64m");
      const result = await run(file, ["--install-root", disk.path]);
      expect(result).toMatchObject({ code: 71, stdout: "" });
      expect(result.stderr).toMatch(/^error no_space: .* MB free, 12\d MB are needed: .*\n$/);
      expect(await left(disk.path)).toEqual([]);
    });

    it("a disk that fills up meanwhile ends it, and what was written is removed", async () => {
      await using disk = await smallDisk("size=140m");
      const child = spawn(file, ["--install-root", disk.path], { stdio: ["ignore", "pipe", "pipe"] });
      await until("the unpack has begun", async () => (await left(disk.path))[0]);
      child.kill("SIGSTOP");
      const { bfree, bsize } = await statfs(disk.path);
      await writeFile(join(disk.path, "other"), Buffer.alloc(Math.max(0, bfree * bsize - 1024 * 1024)));
      child.kill("SIGCONT");
      const result = await outcome(child);
      expect(result).toMatchObject({ code: 71, stdout: "" });
      expect(result.stderr).toMatch(/^error no_space: .*No space left on device.*\n$/);
      expect(await left(disk.path)).toEqual([]);
    });

    it("a disk on which a killed unpack left its bytes has room again for the next", async () => {
      await using disk = await smallDisk("size=180m");
      const child = spawn(file, ["--install-root", disk.path], { stdio: "ignore" });
      await until("most is written", async () => {
        const { blocks, bfree, bsize } = await statfs(disk.path);
        return (blocks - bfree) * bsize > 70e6 ? true : undefined;
      });
      child.kill("SIGKILL");
      await outcome(child);
      expect(await left(disk.path)).toHaveLength(1);
      expect(await run(file, ["--install-root", disk.path])).toMatchObject({ code: 0, stderr: "" });
    });

    it("a file system without free inodes is told from a full one", async () => {
      await using disk = await smallDisk("size=300m,nr_inodes=8");
      const result = await run(file, ["--install-root", disk.path]);
      expect(result).toMatchObject({ code: 72, stdout: "" });
      expect(result.stderr).toMatch(/^error no_inodes: .*\n$/);
      expect(await left(disk.path)).toEqual([]);
    });

    it("not even one inode for bin/ is told in the same way", async () => {
      await using disk = await smallDisk("size=300m,nr_inodes=1");
      expect(await run(file, ["--install-root", disk.path])).toMatchObject({ code: 72 });
    });

    it("noexec is refused before anything is written, and the message names the way out", async () => {
      await using disk = await smallDisk("size=300m,noexec");
      const result = await run(file, ["--install-root", disk.path]);
      expect(result).toMatchObject({ code: 74, stdout: "" });
      expect(result.stderr).toMatch(new RegExp(`^error noexec: ${disk.path}/bin .*installRoot.*\n$`));
      expect(await left(disk.path)).toEqual([]);
    });

    it("a file system that became read-only after the unpack still starts the stub", async () => {
      await using disk = await smallDisk("size=300m");
      expect(await run(file, ["--install-root", disk.path])).toMatchObject({ code: 0 });
      spawnSync("mount", ["-o", "remount,ro", disk.path]);
      expect(await run(file, ["--install-root", disk.path])).toMatchObject({ code: 0, stderr: "" });
    });

    it("a file system that is read-only is named", async () => {
      await using disk = await smallDisk("size=1m,ro");
      const result = await run(file, ["--install-root", disk.path]);
      expect(result).toMatchObject({ code: 70 });
      expect(result.stderr).toMatch(/^error install_failed: .*Read-only file system\n$/);
    });
  });
});
