// The unpack: whole or not there, whoever starts, dies or damages it.
import { spawn } from "node:child_process";
import {
  chmod,
  cp,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { canBuild, reason } from "./fixtures/needs.js";
import { standIn, tiny } from "./fixtures/one-files.js";
import { outcome, run, said, scratch, until } from "./fixtures/run.js";

const names = async (directory: string) => (await readdir(directory)).sort();
const unpacks = async (bin: string) => (await names(bin)).filter((name) => /^\d/.test(name));

describe.skipIf(!canBuild)(`the unpack${reason(canBuild, "gcc, g++, musl-gcc and patchelf")}`, () => {
  let file: string;
  beforeAll(async () => {
    file = await standIn();
  }, 300_000);

  it("puts all parts into one private directory below the install root, and runs from there", async () => {
    await using home = await scratch();
    const result = await run(file, ["one", "--two=2"], { env: { HOME: home.path }, cwd: "/" });
    const told = JSON.parse(result.stdout) as { args: string[]; parts: string; version: string; execArgv: string[] };
    const bin = join(home.path, ".opencode-remote-ssh/bin");
    const [directory = ""] = await unpacks(bin);
    expect(told).toMatchObject({ args: ["one", "--two=2"], parts: join(bin, directory), version: "v24.21.0" });
    expect(await names(join(bin, directory))).toEqual(["complete", "helper", "pty.node", "rg", "rt", "stub"]);
    for (const path of [bin, join(bin, "..")]) expect((await stat(path)).mode & 0o777).toBe(0o700);
    expect((await run(join(bin, directory, "rg"), ["--version"])).stdout).toContain("ripgrep");
  });

  it("is used again by the next start, not written anew", async () => {
    await using home = await scratch();
    const env = { HOME: home.path };
    const first = JSON.parse((await run(file, [], { env })).stdout) as { parts: string };
    const before = await stat(join(first.parts, "complete"));
    await run(file, [], { env });
    expect((await stat(join(first.parts, "complete"))).ino).toBe(before.ino);
  });

  it("belongs to the directory whose bin/ holds the file", async () => {
    await using home = await scratch();
    const path = join(home.path, "root/bin/opencode-remote-ssh-stub");
    await mkdir(join(home.path, "root/bin"), { recursive: true });
    await cp(file, path);
    const told = JSON.parse((await run(path, [], { env: { HOME: home.path } })).stdout) as { parts: string };
    expect(told.parts.startsWith(join(home.path, "root/bin/"))).toBe(true);
    expect(await names(home.path)).toEqual(["root"]);
  });

  it("does not take the user's own bin for an install root", async () => {
    await using home = await scratch();
    await mkdir(join(home.path, "bin"));
    await cp(file, join(home.path, "bin/stub"));
    const told = JSON.parse((await run(join(home.path, "bin/stub"), [], { env: { HOME: home.path } })).stdout) as {
      parts: string;
    };
    expect(told.parts.startsWith(join(home.path, ".opencode-remote-ssh/bin/"))).toBe(true);
  });

  it("is done once when two start at the same moment, and both run", async () => {
    await using home = await scratch();
    const env = { HOME: home.path };
    const results = await Promise.all(Array.from({ length: 4 }, () => run(file, [], { env })));
    expect(results.map((result) => ({ code: result.code, stderr: result.stderr }))).toEqual(
      results.map(() => ({ code: 0, stderr: "" })),
    );
    const places = new Set(results.map((result) => (JSON.parse(result.stdout) as { parts: string }).parts));
    expect(places.size).toBe(1);
    const bin = join(home.path, ".opencode-remote-ssh/bin");
    expect(await names(bin)).toEqual([".lock", ...(await unpacks(bin))]);
  });

  it("killed in the middle leaves nothing that a start trusts, and the next start cleans up", async () => {
    await using home = await scratch();
    const env = { HOME: home.path };
    const bin = join(home.path, ".opencode-remote-ssh/bin");
    const killed = spawn(file, [], { env, stdio: "ignore" });
    const half = await until("half of the stub is written", async () => {
      const directory = (await readdir(bin).catch(() => [])).find((name) => name.startsWith(".unpack-"));
      if (directory === undefined) return undefined;
      const written = await stat(join(bin, directory, "stub")).catch(() => undefined);
      return written !== undefined && written.size > 20e6 ? directory : undefined;
    });
    killed.kill("SIGKILL");
    expect(await outcome(killed)).toMatchObject({ signal: "SIGKILL" });
    expect(await unpacks(bin)).toEqual([]);
    expect(await names(bin)).toContain(half);

    expect(await run(file, [], { env })).toMatchObject({ code: 0, stderr: "" });
    expect(await names(bin)).toEqual([".lock", ...(await unpacks(bin))]);
  });

  it("waits for another start only as long as that one lives", async () => {
    await using home = await scratch();
    const env = { HOME: home.path };
    const bin = join(home.path, ".opencode-remote-ssh/bin");
    const stopped = spawn(file, [], { env, stdio: "ignore" });
    await until("the unpack has begun", async () =>
      (await readdir(bin).catch(() => [])).find((name) => name.startsWith(".unpack-")),
    );
    stopped.kill("SIGSTOP");
    const waiting = run(file, [], { env });
    const early = await Promise.race([waiting, new Promise((resolve) => setTimeout(resolve, 300, "waits"))]);
    expect(early).toBe("waits");
    stopped.kill("SIGKILL");
    expect(await waiting).toMatchObject({ code: 0, stderr: "" });
  });

  describe("damaged afterwards", () => {
    const damages: [string, (parts: string) => Promise<void>][] = [
      ["a part is missing", (parts) => rm(join(parts, "rt/libc.so.6"))],
      ["a part is too short", (parts) => truncate(join(parts, "stub"), 1000)],
      ["a part may not be executed", (parts) => chmod(join(parts, "stub"), 0o600)],
      [
        "a part is a link",
        async (parts) => {
          await rename(join(parts, "rg"), join(parts, "rg2"));
          await symlink("rg2", join(parts, "rg"));
        },
      ],
      ["complete is missing", (parts) => rm(join(parts, "complete"))],
      [
        "complete is of another archive",
        async (parts) => {
          const text = await readFile(join(parts, "complete"), "utf8");
          await writeFile(join(parts, "complete"), text.replace(/archive ..../, "archive 0000"));
        },
      ],
      ["complete is empty", (parts) => truncate(join(parts, "complete"), 0)],
    ];
    it.each(damages)("it is repaired: %s", async (_, damage) => {
      await using home = await scratch();
      const env = { HOME: home.path };
      const first = JSON.parse((await run(file, [], { env })).stdout) as { parts: string };
      await damage(first.parts);
      const second = await run(file, [], { env });
      expect(second).toMatchObject({ code: 0, stderr: "" });
      expect(await names(join(first.parts, ".."))).toEqual([".lock", first.parts.split("/").at(-1)]);
      expect((await stat(join(first.parts, "stub"))).size).toBeGreaterThan(100e6);
    });

    it("--probe finds what sizes do not show, and repairs it; an ordinary start does not look that deep", async () => {
      await using home = await scratch();
      const env = { HOME: home.path };
      const { parts } = JSON.parse((await run(file, [], { env })).stdout) as { parts: string };
      const handle = await open(join(parts, "rg"), "r+");
      await handle.write("damaged!", 1000);
      await handle.close();
      const ino = (await stat(join(parts, "rg"))).ino;
      await run(file, [], { env });
      expect((await stat(join(parts, "rg"))).ino).toBe(ino);
      expect(await run(file, ["--probe"], { env })).toMatchObject({ code: 0, stderr: "" });
      expect((await stat(join(parts, "rg"))).ino).not.toBe(ino);
    });

    it("moved to another install root, it is made anew there: the loader's path is inside the stub", async () => {
      await using home = await scratch();
      await run(file, ["--install-root", join(home.path, "old")]);
      await rename(join(home.path, "old"), join(home.path, "new"));
      const moved = await run(file, ["--install-root", join(home.path, "new")]);
      expect(moved).toMatchObject({ code: 0, stderr: "" });
      const [directory = ""] = await unpacks(join(home.path, "new/bin"));
      const complete = await readFile(join(home.path, "new/bin", directory, "complete"), "utf8");
      expect(complete).toMatch(new RegExp(`\ndir ${join(home.path, "new/bin", directory)}\n$`));
    });
  });

  describe("of older versions", () => {
    it("are removed but for the one before, and those that a stub runs from", async () => {
      await using home = await scratch();
      const env = { HOME: home.path };
      const bin = join(home.path, ".opencode-remote-ssh/bin");
      const start = async (version: string, ...args: string[]) => {
        const path = join(home.path, version);
        await tiny({ path, version });
        return spawn(path, args, { env, stdio: ["ignore", "pipe", "pipe"] });
      };
      // Their order is that of time, which has a grain.
      const madeAgo = async (version: string, seconds: number) => {
        const [directory = ""] = (await unpacks(bin)).filter((name) => name.startsWith(version));
        await utimes(join(bin, directory, "complete"), Date.now() / 1000 - seconds, Date.now() / 1000 - seconds);
      };
      const running = await start("0.1.0", "--sleep", "600");
      try {
        await until("0.1.0 is executed", () => (running.stdout?.readableLength ? true : undefined));
        await madeAgo("0.1.0", 99);
        for (const version of ["0.2.0", "0.3.0", "0.4.0"]) {
          expect(await outcome(await start(version))).toMatchObject({ code: 0 });
          await madeAgo(version, 99 - 10 * Number(version.split(".")[1]));
        }
        await mkdir(join(bin, "0.0.1-notours"));
        await writeFile(join(bin, "opencode-remote-ssh-stub"), "");
        expect(await outcome(await start("0.5.0"))).toMatchObject({ code: 0 });
        const left = (await names(bin)).map((name) => name.replace(/-[0-9a-f]{16}$/, ""));
        expect(left).toEqual([".lock", "0.0.1-notours", "0.1.0", "0.4.0", "0.5.0", "opencode-remote-ssh-stub"]);
      } finally {
        running.kill("SIGKILL");
        await outcome(running);
      }
      expect(await outcome(await start("0.6.0"))).toMatchObject({ code: 0 });
      expect((await unpacks(bin)).some((name) => name.startsWith("0.1.0"))).toBe(false);
    });
  });

  it("gives the user's own switches of Node and of the loader to nobody but commands", async () => {
    await using home = await scratch();
    const path = join(home.path, "tiny");
    await tiny({ path, version: "1.0.0" });
    const env = {
      HOME: home.path,
      NODE_OPTIONS: "--no-such-flag",
      LD_PRELOAD: "/nowhere.so",
      LD_LIBRARY_PATH: "/opt/lib",
      OPENCODE_REMOTE_SSH_PARTS: "/forged",
      OPENCODE_REMOTE_SSH_KEEP_PATH: "/forged",
    };
    const given = said((await run(path, [], { env })).stdout)("env");
    expect(given).toEqual([
      `HOME=${home.path}`,
      "OPENCODE_REMOTE_SSH_KEEP_NODE_OPTIONS=--no-such-flag",
      "OPENCODE_REMOTE_SSH_KEEP_LD_PRELOAD=/nowhere.so",
      "LD_LIBRARY_PATH=/opt/lib",
      expect.stringMatching(/^OPENCODE_REMOTE_SSH_PARTS=.*\/bin\/1\.0\.0-[0-9a-f]{16}$/),
    ]);
    const hostile = { ...env, LD_PRELOAD: "", NODE_OPTIONS: "--no-such-flag" };
    expect(await run(file, [], { env: hostile })).toMatchObject({ code: 0, stderr: "" });
  });
});
