// The helper for arm64, as the build makes it. What the kernel enforces there is shown in test/kernel; under qemu-user only that it runs.
import { spawnSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { compileHelper } from "../../scripts/build/native.js";
import { onPath } from "../fixtures/helper-binary.js";
import { reason } from "./fixtures/needs.js";
import { checkout } from "./fixtures/one-files.js";

const emulator = "qemu-aarch64-static";
const tools = ["aarch64-linux-gnu-gcc", emulator];
const present = (await Promise.all(tools.map(onPath))).every(Boolean);

describe.skipIf(!present)(`the helper for arm64${reason(present, tools.join(" and "))}`, () => {
  it("is one static program, runs, and claims no level that is not there", async () => {
    const context = {
      cacheDir: join(checkout, ".cache/build"),
      log: { stage: () => undefined, warn: () => undefined },
    };
    const helper = await compileHelper(context, checkout, "arm64");
    const elf = await readFile(helper);
    expect(elf.readUInt16LE(18)).toBe(183); // AArch64
    expect(elf.includes("/lib/ld-linux-aarch64.so.1")).toBe(false);
    const run = (...args: string[]) => spawnSync(emulator, [helper, ...args], { encoding: "utf8" });
    expect(run("--version")).toMatchObject({
      status: 0,
      stdout: expect.stringContaining("opencode-remote-ssh helper"),
    });
    const { levels } = JSON.parse(run("confine", "--probe").stdout) as { levels: Record<string, { ok: boolean }> };
    expect(levels.landlock).toMatchObject({ ok: false });
    expect(run("confine", "--level", "landlock", "--sys", "/usr", "--", "true").status).toBe(124);
  }, 120_000);
});
