// The one file before it unpacks anything: what it is, and what it says of itself when it was damaged on the way.
import { createHash } from "node:crypto";
import { chmod, copyFile, open, readdir, readFile, truncate } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { PROTOCOL } from "../../protocol/version.js";
import { canBuild, reason } from "./fixtures/needs.js";
import { standIn } from "./fixtures/one-files.js";
import { run, scratch } from "./fixtures/run.js";

describe.skipIf(!canBuild)(`the one file${reason(canBuild, "gcc, g++, musl-gcc and patchelf")}`, () => {
  let file: string;
  beforeAll(async () => {
    file = await standIn();
  }, 300_000);

  it("is static: a 64-bit ELF executable that names no interpreter", async () => {
    const bytes = await readFile(file);
    expect(bytes.subarray(0, 4).toString("latin1")).toBe("\x7fELF");
    const segments = Array.from({ length: bytes.readUInt16LE(56) }, (_, index) =>
      bytes.readUInt32LE(Number(bytes.readBigUInt64LE(32)) + index * bytes.readUInt16LE(54)),
    );
    expect(segments).toContain(1); // PT_LOAD
    expect(segments).not.toContain(3); // PT_INTERP
    expect(segments).not.toContain(2); // PT_DYNAMIC
  });

  it("says its version and protocol without unpacking", async () => {
    await using home = await scratch();
    const { version } = JSON.parse(await readFile("package.json", "utf8")) as { version: string };
    const result = await run(file, ["--version"], { env: { HOME: home.path } });
    expect(result).toMatchObject({ code: 0, stdout: `${version} protocol ${PROTOCOL.major}.${PROTOCOL.minor}\n` });
    expect(await readdir(home.path)).toEqual([]);
  });

  it("knows its own hash, in capitals too, and refuses another one", async () => {
    await using home = await scratch();
    const env = { HOME: home.path };
    const right = createHash("sha256")
      .update(await readFile(file))
      .digest("hex");
    expect(await run(file, ["--verify", right], { env })).toMatchObject({ code: 0, stdout: "", stderr: "" });
    expect(await run(file, ["--verify", right.toUpperCase()], { env })).toMatchObject({ code: 0 });
    const wrong = await run(file, ["--verify", "0".repeat(64)], { env });
    expect(wrong).toMatchObject({ code: 1, stderr: `error upload_corrupt: this file has the hash ${right}\n` });
    expect(await readdir(home.path)).toEqual([]);
  });

  it.each([[[]], [["abc"]], [["0".repeat(64), "more"]]])("refuses --verify with %j", async (args) => {
    expect(await run(file, ["--verify", ...args])).toMatchObject({
      code: 64,
      stderr: expect.stringMatching(/^error usage: /),
    });
  });

  describe("damaged on the way", () => {
    async function damaged(directory: string, change: (path: string, size: number) => Promise<void>): Promise<string> {
      const path = join(directory, "stub");
      await copyFile(file, path);
      await chmod(path, 0o755);
      await change(path, (await readFile(path)).length);
      return path;
    }
    async function flip(path: string, offset: number): Promise<void> {
      const handle = await open(path, "r+");
      const byte = Buffer.alloc(1);
      await handle.read(byte, 0, 1, offset);
      byte.writeUInt8(byte.readUInt8() ^ 0x10);
      await handle.write(byte, 0, 1, offset);
      await handle.close();
    }

    it.each([
      ["half of it is missing", (path: string, size: number) => truncate(path, Math.floor(size / 2))],
      ["its last byte is missing", (path: string, size: number) => truncate(path, size - 1)],
      ["a bit of its index is wrong", (path: string, size: number) => flip(path, size - 200)],
      ["a bit of its archive is wrong", (path: string, size: number) => flip(path, Math.floor(size / 2))],
    ])("when %s it says so and leaves nothing behind", async (_, change) => {
      await using home = await scratch();
      const path = await damaged(home.path, change);
      const root = join(home.path, "root");
      const result = await run(path, ["--install-root", root]);
      expect(result.stderr).toMatch(/^error upload_corrupt: this file is damaged.*\n$/);
      expect(result).toMatchObject({ code: 75, stdout: "" });
      const left = await readdir(join(root, "bin")).catch(() => []);
      expect(left.filter((name) => name !== ".lock")).toEqual([]);
    });

    it("still answers --verify, with no", async () => {
      await using home = await scratch();
      const right = createHash("sha256")
        .update(await readFile(file))
        .digest("hex");
      const path = await damaged(home.path, (copy, size) => truncate(copy, Math.floor(size / 2)));
      expect(await run(path, ["--verify", right])).toMatchObject({ code: 1 });
    });
  });
});
