// The build: what is expensive is made once per content, and two builds at once do not disturb each other.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Check } from "typebox/value";
import { describe, expect, it } from "vitest";
import { Manifest } from "../../protocol/install.js";
import { withBuildLock } from "../../scripts/build/lock.js";
import { runStage } from "../../scripts/build/stage.js";
import { canBuild, reason } from "./fixtures/needs.js";
import { checkout } from "./fixtures/one-files.js";
import { outcome, run, scratch } from "./fixtures/run.js";

const entry = join(import.meta.dirname, "fixtures/stand-in.ts");

function build(out: string) {
  const args = [
    join(checkout, "node_modules/tsx/dist/cli.mjs"),
    "scripts/build/main.ts",
    "--out",
    out,
    "--stub-entry",
    entry,
  ];
  return outcome(spawn(process.execPath, args, { cwd: checkout, stdio: ["ignore", "pipe", "pipe"] }));
}

const stages = (stdout: string, how: "built" | "cached") =>
  stdout.split("\n").flatMap((line) => (line.startsWith(how) ? [line.split(/ +/)[1]] : []));

describe.skipIf(!canBuild)(`npm run build${reason(canBuild, "gcc, g++, musl-gcc and patchelf")}`, () => {
  it("finds every stage in the cache the second time, and makes the same file; the manifest describes it", async () => {
    await using out = await scratch();
    const first = await build(join(out.path, "a"));
    expect(first).toMatchObject({ code: 0, stderr: "" });
    const second = await build(join(out.path, "b"));
    expect(stages(second.stdout, "built")).toEqual([]);
    expect(new Set(stages(second.stdout, "cached"))).toEqual(
      new Set(["node-stripped", "single-executable", "pty-addon", "launcher", "helper", "zstd-frame"]),
    );

    const manifests = await Promise.all(
      ["a", "b"].map((name) => readFile(join(out.path, name, "stub/manifest.json"), "utf8")),
    );
    expect(manifests[0]).toBe(manifests[1]);
    const manifest: unknown = JSON.parse(manifests[0] ?? "");
    if (!Check(Manifest, manifest)) throw new Error("not a manifest");
    const stub = manifest.stubs["linux-x64"];
    const path = join(out.path, "a/stub", stub?.file ?? "");
    const bytes = await readFile(path);
    expect(stub).toMatchObject({ size: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") });
    expect((await stat(path)).mode & 0o777).toBe(0o755);
    expect(manifest.node).toMatch(/^24\./);
    expect((await run(path, ["--version"])).stdout).toContain(manifest.version);
  }, 300_000);

  it("run twice at the same moment ends well twice", async () => {
    await using out = await scratch();
    const results = await Promise.all([build(out.path), build(out.path)]);
    expect(results.map((result) => result.code)).toEqual([0, 0]);
    expect(await run(join(out.path, "stub/linux-x64/opencode-remote-ssh-stub"), ["--version"])).toMatchObject({
      code: 0,
    });
  }, 300_000);
});

describe("a stage of the build", () => {
  const silent = { stage: () => undefined, warn: () => undefined };

  it("runs once per content of its inputs", async () => {
    await using cache = await scratch();
    const told: string[] = [];
    const context = {
      cacheDir: cache.path,
      log: { ...silent, stage: (name: string, how: string) => void told.push(`${how} ${name}`) },
    };
    const stage = (input: string) =>
      runStage(context, { name: "s", inputs: [input], build: (out) => writeFile(out, `made of ${input}`) });
    const a = await stage("a");
    expect(await stage("a")).toBe(a);
    const b = await stage("b");
    expect(told).toEqual(["built s", "cached s", "built s"]);
    expect(await readFile(a, "utf8")).toBe("made of a");
    expect(await readFile(b, "utf8")).toBe("made of b");
  });

  it("does not take one long input for two short ones", async () => {
    await using cache = await scratch();
    const stage = (...inputs: string[]) =>
      runStage({ cacheDir: cache.path, log: silent }, { name: "s", inputs, build: (out) => writeFile(out, "") });
    expect(await stage("ab", "c")).not.toBe(await stage("a", "bc"));
  });

  it("leaves nothing behind when it fails, and runs again the next time", async () => {
    await using cache = await scratch();
    const stage = (fail: boolean) =>
      runStage(
        { cacheDir: cache.path, log: silent },
        {
          name: "s",
          inputs: ["same"],
          build: async (out) => {
            await writeFile(out, "half");
            if (fail) throw new Error("compiler");
            await writeFile(out, "whole");
          },
        },
      );
    await expect(stage(true)).rejects.toThrow("compiler");
    expect(await readFile(await stage(false), "utf8")).toBe("whole");
  });

  it("is held by one build at a time", async () => {
    await using cache = await scratch();
    let inside = 0;
    let most = 0;
    const work = async () => {
      inside += 1;
      most = Math.max(most, inside);
      await new Promise((resolve) => setTimeout(resolve, 20));
      inside -= 1;
    };
    await Promise.all([work(), work()]);
    expect(most).toBe(2); // without the lock
    most = 0;
    await Promise.all([1, 2, 3].map(() => withBuildLock(cache.path, work)));
    expect(most).toBe(1);
  });
});
