// The one file onto a host over a real sshd: what may go wrong on the way leaves nothing that would be trusted.
import { execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { bootstrap } from "../../plugin/bootstrap/bootstrap.js";
import { bundledStub, type StubFile } from "../../plugin/bootstrap/manifest.js";
import { probe } from "../../plugin/bootstrap/probe.js";
import { upload } from "../../plugin/bootstrap/upload.js";
import { DEFAULT_INSTALL_ROOT, STUB_NAME } from "../../protocol/install.js";
import { hasSshd, sshdReason } from "./fixtures/sshd.js";
import { standInStub } from "./fixtures/stand-in-stub.js";
import { modesBelow, type StubHost, startStubHost, waitUntil } from "./fixtures/stub-host.js";
import { isRoot } from "./fixtures/users.js";

const run = promisify(execFile);
const installRoot = DEFAULT_INSTALL_ROOT;
const real = bundledStub();

const inBin = async (host: StubHost) =>
  existsSync(join(host.root, "bin")) ? await readdir(join(host.root, "bin")) : [];
const hashOf = async (path: string) =>
  createHash("sha256")
    .update(await readFile(path))
    .digest("hex");

describe.skipIf(!hasSshd)(`the upload (${sshdReason})`, () => {
  it("needs no ~/.ssh on the host and keeps everything to the user (rows 8, 23)", async () => {
    await using host = await startStubHost();
    const transport = await host.connect();
    const seen: number[] = [];
    await upload(transport, { installRoot, stub: real, onProgress: (sent) => seen.push(sent) });
    expect(await hashOf(host.binary)).toBe(real.sha256);
    expect(seen.at(-1)).toBe(real.size);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(await readdir(host.sshd.home)).toEqual([".opencode-remote-ssh"]);
    for (const { path, mode, isDirectory } of await modesBelow(host.root)) {
      expect([path, mode]).toEqual([path, isDirectory || path.endsWith(STUB_NAME) ? "700" : "600"]);
    }
  });

  it("is not done again for a file that is there, and is for one that was damaged", async () => {
    await using host = await startStubHost();
    const transport = await host.connect();
    await upload(transport, { installRoot, stub: real });
    expect((await probe(transport, { installRoot, stub: real })).binary).toEqual({
      verdict: "same",
      version: real.version,
    });
    const bytes = await readFile(host.binary);
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
    await writeFile(host.binary, bytes);
    expect((await probe(transport, { installRoot, stub: real })).binary.verdict).toBe("rebuilt");
  });

  it("leaves no temporary file and no half file when the connection is cut in the middle", async () => {
    await using host = await startStubHost();
    const transport = await host.connect();
    let cut = false;
    const broken = upload(transport, {
      installRoot,
      stub: real,
      onProgress: (sent) => {
        if (cut || sent < real.size / 3) return;
        cut = true;
        host.sshd.killConnections();
      },
    });
    await expect(broken).rejects.toMatchObject({ code: "connection_lost" });
    await waitUntil(async () => (await inBin(host)).length === 0, "bin is empty");

    // What the original writes in place would now be there, cut short, and would be started.
    const again = await host.connect();
    expect((await probe(again, { installRoot, stub: real })).binary.verdict).toBe("missing");
    await upload(again, { installRoot, stub: real });
    expect(await hashOf(host.binary)).toBe(real.sha256);
  });

  it("leaves nothing when the user gives up in the middle, and the connection goes on", async () => {
    await using host = await startStubHost();
    const transport = await host.connect();
    const user = new AbortController();
    const given = upload(transport, {
      installRoot,
      stub: real,
      signal: user.signal,
      onProgress: (sent) => sent > real.size / 3 && user.abort(),
    });
    await expect(given).rejects.toMatchObject({ code: "aborted" });
    await waitUntil(async () => (await inBin(host)).length === 0, "bin is empty");
    await upload(transport, { installRoot, stub: real });
    expect(await inBin(host)).toEqual([STUB_NAME]);
  });

  it("may happen twice at once: neither disturbs the other", async () => {
    await using host = await startStubHost();
    const [one, two] = await Promise.all([host.connect(), host.connect()]);
    await Promise.all([one, two].map((transport) => upload(transport, { installRoot, stub: real })));
    expect(await inBin(host)).toEqual([STUB_NAME]);
    expect(await hashOf(host.binary)).toBe(real.sha256);
  });

  it("refuses bytes that were changed or are too few on the way, and keeps the file that was there", async () => {
    await using host = await startStubHost();
    const transport = await host.connect();
    await upload(transport, { installRoot, stub: standInStub() });
    const before = await hashOf(host.binary);
    const content = await readFile(host.binary);
    const changed: StubFile = {
      ...standInStub({ version: "0.2.0" }),
      size: content.length,
      open: () => Readable.from([content]),
    };
    await expect(upload(transport, { installRoot, stub: changed })).rejects.toMatchObject({ code: "upload_corrupt" });
    const short: StubFile = { ...changed, size: content.length + 1 };
    await expect(upload(transport, { installRoot, stub: short })).rejects.toMatchObject({
      code: "upload_corrupt",
      message: expect.stringContaining(`${content.length} of ${content.length + 1}`),
    });
    expect(await hashOf(host.binary)).toBe(before);
    expect(await inBin(host)).toEqual([STUB_NAME]);
  });

  it("is possible while the file runs, which writing in place is not (row 4)", async () => {
    await using host = await startStubHost();
    const transport = await host.connect();
    const { identity } = await bootstrap(transport, { installRoot, stub: real });
    const attached = spawn(host.binary, ["attach"], { stdio: "pipe" });
    try {
      await once(attached, "spawn");
      await expect(writeFile(host.binary, "x", { flag: "r+" })).rejects.toMatchObject({ code: "ETXTBSY" });
      await upload(transport, { installRoot, stub: real });
      expect(attached.exitCode).toBeNull();
    } finally {
      attached.stdin.end();
    }
    const facts = await probe(transport, { installRoot, stub: real });
    expect(facts.binary.verdict).toBe("same");
    expect(facts.running.identity).toEqual(identity);
  });

  it("takes an install root with blanks and quotes, and expands ~ on the host only", async () => {
    await using host = await startStubHost();
    const transport = await host.connect();
    const odd = `~/a b'c "d" $(touch pwned)`;
    await upload(transport, { installRoot: odd, stub: real });
    expect(existsSync(join(host.sshd.home, odd.slice(2), "bin", STUB_NAME))).toBe(true);
    expect(await readdir(host.sshd.home)).toEqual([odd.slice(2)]);
  });

  it.each(["relative/path", "~", "/", "~other/x", ""])("refuses %j for an install root", async (wrong) => {
    await using host = await startStubHost();
    const transport = await host.connect();
    await expect(upload(transport, { installRoot: wrong, stub: real })).rejects.toMatchObject({
      code: "config_invalid",
    });
    expect(await readdir(host.sshd.home)).toEqual([]);
  });
});

/** A file system of its own at `~/small`. */
async function mountSmall(host: StubHost, options: string): Promise<AsyncDisposable & { path: string }> {
  const path = join(host.sshd.home, "small");
  await mkdir(path);
  await run("mount", ["-t", "tmpfs", "-o", options, "tmpfs", path]);
  return { path, [Symbol.asyncDispose]: async () => void (await run("umount", ["-l", path])) };
}

describe.skipIf(!hasSshd || !isRoot)(
  `a host that cannot hold or run the file (needs root for tmpfs; ${sshdReason})`,
  () => {
    it.each([
      { options: "size=40m", code: "no_space", says: "free" },
      { options: "size=600m,nr_inodes=20", code: "no_inodes", says: "inodes" },
      { options: "size=600m,noexec", code: "noexec", says: "executed" },
    ])(
      "says $code for a file system with $options, before a byte is sent, and what to do",
      async ({ options, code, says }) => {
        await using host = await startStubHost();
        await using small = await mountSmall(host, options);
        const transport = await host.connect();
        const sent: number[] = [];
        const failing = upload(transport, {
          installRoot: "~/small/root",
          stub: real,
          onProgress: (bytes) => sent.push(bytes),
        });
        await expect(failing).rejects.toMatchObject({
          code,
          message: expect.stringContaining(says),
          hint: expect.stringMatching(/installRoot .*~\/small\/root/),
        });
        expect(sent).toEqual([]);
        expect(await readdir(join(small.path, "root", "bin"))).toEqual([]);
      },
    );

    it("says no_space where the disk fills up under way, and leaves nothing", async () => {
      await using host = await startStubHost();
      await using small = await mountSmall(host, "size=20m");
      const transport = await host.connect();
      // The room was promised: the file claims to unpack to nothing and to be smaller than it is.
      const stub: StubFile = { ...real, size: 1024, unpackedSize: 0 };
      await expect(upload(transport, { installRoot: "~/small/root", stub })).rejects.toMatchObject({
        code: "no_space",
      });
      expect(await readdir(join(small.path, "root", "bin"))).toEqual([]);
    });

    it("says address_space_limited for ulimit -v, platform_unsupported for another machine", async () => {
      await using host = await startStubHost({ loginShell: "/bin/bash" });
      await writeFile(join(host.sshd.home, ".bashrc"), "ulimit -v 1000000\n");
      const limited = await host.connect();
      await expect(upload(limited, { installRoot, stub: real })).rejects.toMatchObject({
        code: "address_space_limited",
      });
      await mkdir(join(host.sshd.home, "fake"));
      await writeFile(join(host.sshd.home, "fake/uname"), '#!/bin/sh\n[ "$1" = -m ] && echo aarch64 || echo Linux\n', {
        mode: 0o755,
      });
      await writeFile(join(host.sshd.home, ".bashrc"), "PATH=$HOME/fake:$PATH\n");
      await expect(upload(limited, { installRoot, stub: real })).rejects.toMatchObject({
        code: "platform_unsupported",
        message: expect.stringContaining("aarch64"),
      });
      expect(existsSync(host.root)).toBe(false);
    });

    it("refuses an install root that belongs to another user", async () => {
      await using host = await startStubHost({ loginShell: "/bin/bash" });
      await mkdir(host.root, { mode: 0o777 });
      const transport = await host.connect();
      await expect(upload(transport, { installRoot, stub: real })).rejects.toMatchObject({
        code: "install_failed",
        message: expect.stringContaining("another user"),
      });
      expect((await stat(host.root)).mode & 0o700).toBe(0o700);
      expect(await readdir(host.root)).toEqual([]);
    });
  },
);
