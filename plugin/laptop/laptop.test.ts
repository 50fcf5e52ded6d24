import { execFile } from "node:child_process";
import { createPublicKey, verify } from "node:crypto";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { loadApprover } from "./approver-key.js";
import { HostsFile } from "./hosts-file.js";
import { ensureStateDirectory, type StatePaths, statePaths } from "./state-directory.js";

const run = promisify(execFile);
const isRoot = process.getuid?.() === 0;
const TSX = join(import.meta.dirname, "../../node_modules/tsx/dist/cli.mjs");

let home: string;
let paths: StatePaths;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "ocr-state-"));
  paths = statePaths({}, home);
});
afterEach(() => rm(home, { recursive: true, force: true }));

const mode = async (path: string) => ((await stat(path)).mode & 0o777).toString(8);

/** Several processes that all run `code` at the same time; what each prints. */
async function together(count: number, code: string): Promise<string[]> {
  const file = join(home, "together.mts");
  await writeFile(file, code);
  const runs = Array.from({ length: count }, (_, index) => run(process.execPath, [TSX, file, String(index)]));
  return (await Promise.all(runs)).map(({ stdout }) => stdout.trim());
}

describe("our state directory", () => {
  it("follows XDG_STATE_HOME, ignores a relative one, and is 0700 even where it was open before", async () => {
    expect(statePaths({ XDG_STATE_HOME: "/x" }, home).directory).toBe("/x/opencode-remote-ssh");
    expect(statePaths({ XDG_STATE_HOME: "x" }, home).directory).toBe(`${home}/.local/state/opencode-remote-ssh`);
    await ensureStateDirectory(paths);
    await chmod(paths.directory, 0o755);
    await ensureStateDirectory(paths);
    expect(await mode(paths.directory)).toBe("700");
  });

  it.skipIf(!isRoot)("is refused where it belongs to somebody else (needs root)", async () => {
    await ensureStateDirectory(paths);
    await run("chown", ["nobody", paths.directory]);
    await expect(ensureStateDirectory(paths)).rejects.toMatchObject({ code: "EACCES" });
  });
});

describe("a place that cannot be written", () => {
  it("is an error at once where mkdir answers ENOENT below a directory that exists: Node's own mkdir -p never ends there", async () => {
    const odd = statePaths({ XDG_STATE_HOME: "/proc/nosuch" }, home);
    await expect(ensureStateDirectory(odd)).rejects.toMatchObject({
      name: "RemoteError",
      hint: expect.stringMatching(/XDG_STATE_HOME/),
    });
  });

  it("is told with what to do about it, and is nobody's defect", async () => {
    await writeFile(join(home, "file"), "");
    const odd = statePaths({ XDG_STATE_HOME: join(home, "file") }, home);
    await expect(loadApprover(odd)).rejects.toMatchObject({
      name: "RemoteError",
      code: "ENOTDIR",
      hint: expect.stringMatching(/XDG_STATE_HOME/),
    });
  });

  it("holds neither a key nor what is known of hosts", async () => {
    await ensureStateDirectory(paths);
    await using _ = await writeProtected(paths.directory);
    await expect(loadApprover(paths)).rejects.toMatchObject({ name: "RemoteError", code: isRoot ? "EROFS" : "EACCES" });
    await expect(new HostsFile(paths).update("web", (known) => known)).rejects.toMatchObject({ name: "RemoteError" });
  });
});

/** By its mode, or for root, who may write everywhere, by a read-only mount. */
async function writeProtected(directory: string): Promise<AsyncDisposable> {
  if (isRoot) {
    await run("mount", ["-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs", directory]);
    await mkdir(join(directory, "log"), { mode: 0o700 });
    await run("mount", ["-o", "remount,ro", directory]);
    return { [Symbol.asyncDispose]: async () => void (await run("umount", [directory])) };
  }
  await chmod(join(directory, "log"), 0o500);
  // our own directory is made ours again, as it always was
  await chmod(directory, 0o500);
  return { [Symbol.asyncDispose]: () => chmod(directory, 0o700) };
}

describe("the approver's key", () => {
  it("is made once, 0600, and signs what its public half verifies", async () => {
    const key = await loadApprover(paths);
    expect(key.keyID).toMatch(/^[0-9a-f]{16}$/);
    expect(key.publicKey).toHaveLength(32);
    expect(await mode(paths.approverKey)).toBe("600");
    const jwk = { kty: "OKP", crv: "Ed25519", x: Buffer.from(key.publicKey).toString("base64url") };
    const signature = await key.sign("grüße");
    expect(verify(null, Buffer.from("grüße"), createPublicKey({ key: jwk, format: "jwk" }), signature)).toBe(true);
    expect((await loadApprover(paths)).keyID).toBe(key.keyID);
  });

  it("is one key, however many processes make it at once, and leaves no other file", async () => {
    const code = `import { loadApprover } from ${JSON.stringify(join(import.meta.dirname, "approver-key.ts"))};
      console.log((await loadApprover(${JSON.stringify(paths)})).keyID);`;
    const ids = await together(6, code);
    expect(new Set(ids).size).toBe(1);
    expect((await readdir(paths.directory)).filter((name) => name.startsWith("approver"))).toEqual(["approver.key"]);
  });

  it("is set aside where it does not parse, never deleted, and said so", async () => {
    await ensureStateDirectory(paths);
    await writeFile(paths.approverKey, "half a key", { mode: 0o600 });
    const said: string[] = [];
    await loadApprover(paths, (text) => said.push(text));
    const aside = (await readdir(paths.directory)).find((name) => name.includes(".broken-")) ?? "";
    expect(await readFile(join(paths.directory, aside), "utf8")).toBe("half a key");
    expect(said.join()).toContain(aside);
  });

  it("is refused where others can read it", async () => {
    await loadApprover(paths);
    await chmod(paths.approverKey, 0o644);
    await expect(loadApprover(paths)).rejects.toMatchObject({
      code: "EACCES",
      hint: expect.stringContaining("chmod 600"),
    });
  });
});

describe("hosts.json", () => {
  it("loses no change, however many processes write at once, and stays 0600", async () => {
    const code = `import { HostsFile } from ${JSON.stringify(join(import.meta.dirname, "hosts-file.ts"))};
      const hosts = new HostsFile(${JSON.stringify(paths)});
      for (let i = 0; i < 5; i++) {
        await hosts.update("shared", (known) => ({ ...known, uses: known.uses + 1 }));
        await hosts.update("own-" + process.argv[2], (known) => ({ ...known, lastDirectory: "/srv/" + i }));
      }`;
    await together(4, code);
    const hosts = new HostsFile(paths);
    expect((await hosts.get("shared"))?.uses).toBe(20);
    for (const index of [0, 1, 2, 3]) expect((await hosts.get(`own-${index}`))?.lastDirectory).toBe("/srv/4");
    expect(await mode(paths.hostsFile)).toBe("600");
  });

  it("is set aside where it does not parse, and goes on empty", async () => {
    await ensureStateDirectory(paths);
    await writeFile(paths.hostsFile, '{"version":1,"hosts":{"web":{"uses":"many"');
    const said: string[] = [];
    const hosts = new HostsFile(paths, (text) => said.push(text));
    expect(await hosts.get("web")).toBeUndefined();
    await hosts.update("web", (known) => ({ ...known, uses: 1 }));
    expect((await hosts.get("web"))?.uses).toBe(1);
    expect((await readdir(paths.directory)).some((name) => name.startsWith("hosts.json.broken-"))).toBe(true);
    expect(said).toHaveLength(1);
  });

  it("takes any name of a host for a name", async () => {
    const hosts = new HostsFile(paths);
    for (const name of ["__proto__", "constructor", "a b/..", ""]) {
      expect(await hosts.get(name)).toBeUndefined();
      await hosts.update(name, (known) => ({ ...known, uses: 3 }));
      expect((await hosts.get(name))?.uses).toBe(3);
    }
    expect(({} as { uses?: number }).uses).toBeUndefined();
  });
});
