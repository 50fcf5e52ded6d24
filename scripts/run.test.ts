// The entry script and what it asks of a machine. Only what ends before anything is installed or built.
import { spawnSync } from "node:child_process";
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const checkout = join(import.meta.dirname, "..");
let scratch: string;
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), "run-sh-"));
});
afterEach(() => rm(scratch, { recursive: true }));

/** run.sh with programs of ours in front of the PATH. */
async function runScript(args: string[], programs: Record<string, string> = {}) {
  for (const [name, text] of Object.entries(programs)) {
    await writeFile(join(scratch, name), `#!/bin/sh\n${text}\n`);
    await chmod(join(scratch, name), 0o755);
  }
  const PATH = [scratch, join(checkout, "node_modules/.bin"), join(process.execPath, ".."), "/usr/bin", "/bin"].join(
    ":",
  );
  const result = spawnSync("bash", [join(checkout, "scripts/run.sh"), ...args], {
    env: { PATH, HOME: scratch },
    encoding: "utf8",
    cwd: scratch,
  });
  return { status: result.status, stdout: result.stdout, stderr: result.stderr };
}

describe("run.sh", () => {
  it("refuses an unknown command, with a hint", async () => {
    expect(await runScript(["dance"])).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/^error usage: .*\nhint: /),
    });
  });

  it("build, where packages are missing and cannot be installed, names them and stops", async () => {
    const result = await runScript(["build"], { "dpkg-query": "exit 1", id: "echo 1000" });
    expect(result.status).toBe(1);
    expect(result.stderr).toMatch(
      /^error missing_packages: .* gcc g\+\+ musl-tools patchelf libzstd-dev gcc-aarch64-linux-gnu libc6-dev-arm64-cross\nhint: apt-get install gcc/,
    );
    expect(result.stdout).toBe("");
  });

  it("names only what is missing", async () => {
    const onlyGcc = 'for last; do :; done; [ "$last" = patchelf ] || echo "install ok installed"';
    const result = await runScript(["build"], { "dpkg-query": onlyGcc, id: "echo 1000" });
    expect(result.stderr).toMatch(/needs Debian packages: patchelf\n/);
  });

  it("says that Node is too old, by the node that the user has, not the one in node_modules/.bin", async () => {
    const result = await runScript(["build"], { node: "case $1 in -p) echo 18 ;; *) exit 1 ;; esac" });
    expect(result).toMatchObject({ status: 1, stderr: expect.stringContaining("error old_node: node 18 is too old") });
  });
});

describe("installed.mjs", () => {
  async function installed(
    change: (lock: { packages: Record<string, { version?: string; optional?: boolean }> }) => void,
  ) {
    const wanted = JSON.parse(await readFile(join(checkout, "package-lock.json"), "utf8"));
    await mkdir(join(scratch, "node_modules"), { recursive: true });
    await copyFile(join(checkout, "node_modules/.package-lock.json"), join(scratch, "node_modules/.package-lock.json"));
    change(wanted);
    await writeFile(join(scratch, "package-lock.json"), JSON.stringify(wanted));
    return spawnSync(process.execPath, [join(checkout, "scripts/installed.mjs")], { cwd: scratch }).status;
  }

  it("is content with what npm installed; packages for other platforms may be absent", async () => {
    expect(await installed(() => undefined)).toBe(0);
  });

  it("wants an installation when another version is locked", async () => {
    expect(
      await installed((lock) => {
        lock.packages["node_modules/esbuild"] = { version: "99.0.0" };
      }),
    ).toBe(1);
  });

  it("wants an installation when a package is new", async () => {
    expect(
      await installed((lock) => {
        lock.packages["node_modules/brand-new"] = { version: "1.0.0" };
      }),
    ).toBe(1);
  });

  it("wants an installation when there is none", async () => {
    await copyFile(join(checkout, "package-lock.json"), join(scratch, "package-lock.json"));
    expect(spawnSync(process.execPath, [join(checkout, "scripts/installed.mjs")], { cwd: scratch }).status).toBe(1);
  });
});
