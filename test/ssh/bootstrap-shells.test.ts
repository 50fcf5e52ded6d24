// The same host scripts under every sh, and behind every login shell, however much its rc files print.

import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { bootstrap } from "../../plugin/bootstrap/bootstrap.js";
import { bundledStub } from "../../plugin/bootstrap/manifest.js";
import { stop } from "../../plugin/bootstrap/stop.js";
import { openTransport } from "../../plugin/ssh/ssh2/open.js";
import type { Transport } from "../../plugin/ssh/transport.js";
import { DEFAULT_INSTALL_ROOT } from "../../protocol/install.js";
import { dropbearReason, hasDropbear, startDropbear } from "./fixtures/dropbear.js";
import { localTransport } from "./fixtures/local-transport.js";
import { hasSshd, sshdReason } from "./fixtures/sshd.js";
import { standInStub } from "./fixtures/stand-in-stub.js";
import { endStub, startStubHost, startTimeOf } from "./fixtures/stub-host.js";
import { isRoot } from "./fixtures/users.js";

const run = promisify(execFile);
const BUSYBOX = "/bin/busybox";
const CHROOT = "/usr/sbin/chroot";
const options = { installRoot: DEFAULT_INSTALL_ROOT, stub: standInStub() };

/** Everything the host scripts do, from nothing to a running stub and back. */
async function wholeStory(transport: Transport): Promise<void> {
  const first = await bootstrap(transport, options);
  expect(first).toMatchObject({ uploaded: true, started: true });
  // Row 8: the file ends with a newline, the token does not.
  expect(first.identity.token).toMatch(/^[0-9a-f]{64}$/);
  const second = await bootstrap(transport, options);
  expect(second).toMatchObject({ uploaded: false, started: false, identity: first.identity });
  expect(await stop(transport, options)).toBe(first.identity.pid);
  expect(startTimeOf(first.identity.pid)).toBeUndefined();
  expect(await stop(transport, options)).toBeNull();
}

describe("the host's sh", () => {
  it.each(["dash", "bash", "bash --posix", "busybox sh"])("may be %s", async (shell) => {
    const home = await mkdtemp(join(tmpdir(), "ocr-sh-"));
    try {
      await wholeStory(localTransport(shell.split(" "), home));
      expect(await readdir(home)).toEqual([".opencode-remote-ssh"]);
    } finally {
      await endStub(join(home, ".opencode-remote-ssh"));
      await rm(home, { recursive: true, force: true });
    }
  });

  it("needs nothing that a bare host may lack, and nothing that kills by name (rows 1, 2, 12)", () => {
    const directory = join(import.meta.dirname, "../../plugin/bootstrap/host");
    const text = readdirSync(directory)
      .map((name) => readFileSync(join(directory, name), "utf8").replace(/^\s*#.*$/gm, ""))
      .join("\n");
    expect(text).toContain("kill -TERM");
    expect(text).not.toMatch(
      /\b(pkill|killall|pgrep|fuser|python\d?|perl|setsid|nohup|base64|sha256sum|sftp|scp|curl|wget|mktemp)\b/,
    );
    expect(text).not.toMatch(/\[\[|^\s*local\b|<<<|\bfunction\b/m);
  });
});

const noise = [
  'echo "### AUTHORISED USE ONLY ###"',
  'echo "home /tmp x86_64 Linux <banner> 0123456789abcdef"',
  'echo "an error of the rc file" >&2',
  'printf "no newline at the end: "',
];

const loginShells = [
  { shell: "/bin/bash", rc: ".bashrc", lines: noise },
  { shell: "/bin/tcsh", rc: ".tcshrc", lines: noise.map((line) => line.replace(">&2", "")) },
  { shell: "/usr/bin/fish", rc: ".config/fish/config.fish", lines: noise },
];

describe.skipIf(!hasSshd || !isRoot)(`a noisy login shell (needs root; ${sshdReason})`, () => {
  it.each(loginShells)("may be $shell: its banner is nobody's answer (row 10)", async ({ shell, rc, lines }) => {
    await using host = await startStubHost({ loginShell: shell });
    await mkdir(join(host.sshd.home, rc, ".."), { recursive: true });
    await writeFile(join(host.sshd.home, rc), `${lines.join("\n")}\n`);
    const transport = await host.connect();

    // The way of the original: the first line of what a command prints is taken for its answer.
    const naive = await transport.exec("uname -s");
    naive.stdin.end();
    const printed: Buffer[] = [];
    naive.stdout.on("data", (chunk: Buffer) => printed.push(chunk));
    await naive.closed;
    expect(Buffer.concat(printed).toString().split("\n")[0]).toBe("### AUTHORISED USE ONLY ###");

    const before = await readdir(host.sshd.home);
    await wholeStory(transport);
    expect((await readdir(host.sshd.home)).sort()).toEqual([...before, ".opencode-remote-ssh"].sort());
  });

  it("may end before it runs anything: the error says what the host said", async () => {
    await using host = await startStubHost({ loginShell: "/usr/sbin/nologin" });
    const transport = await host.connect();
    await expect(bootstrap(transport, options)).rejects.toMatchObject({
      code: "install_failed",
      message: expect.stringContaining("not available"),
      hint: expect.stringContaining("run sh"),
    });
  });

  it("may print without end: that is an error, not a full memory", async () => {
    await using host = await startStubHost({ loginShell: "/bin/bash" });
    await writeFile(join(host.sshd.home, ".bashrc"), "yes the rc file never ends\n");
    const transport = await host.connect();
    await expect(bootstrap(transport, options)).rejects.toMatchObject({
      code: "install_failed",
      hint: expect.stringContaining("rc files"),
    });
  });
});

it.skipIf(!isRoot || !existsSync(BUSYBOX))(
  "a host with BusyBox and nothing else gets the real stub (needs root for chroot, and Debian's busybox-static)",
  async () => {
    const directory = await mkdtemp(join(tmpdir(), "ocr-bare-"));
    const root = join(directory, "home/.opencode-remote-ssh");
    for (const name of ["bin", "proc", "dev", "tmp", "home"]) await mkdir(join(directory, name));
    await cp(BUSYBOX, join(directory, "bin/busybox"));
    await run(CHROOT, [directory, "/bin/busybox", "--install", "-s", "/bin"]);
    for (const name of ["null", "zero", "urandom"])
      await run("cp", ["-a", `/dev/${name}`, join(directory, "dev", name)]);
    await run("mount", ["-t", "proc", "proc", join(directory, "proc")]);
    const transport = localTransport([CHROOT, directory, "/bin/sh"], "/", { HOME: "/home", PATH: "/bin" });
    const stub = bundledStub();
    try {
      const first = await bootstrap(transport, { installRoot: DEFAULT_INSTALL_ROOT, stub });
      expect(first).toMatchObject({ uploaded: true, started: true, root: "/home/.opencode-remote-ssh" });
      const second = await bootstrap(transport, { installRoot: DEFAULT_INSTALL_ROOT, stub });
      expect(second).toMatchObject({ uploaded: false, started: false, identity: first.identity });
      expect(await stop(transport, { installRoot: DEFAULT_INSTALL_ROOT })).toBe(first.identity.pid);
    } finally {
      await endStub(root);
      await run("umount", ["-l", join(directory, "proc")]);
      await rm(directory, { recursive: true, force: true });
    }
  },
);

it.skipIf(!hasDropbear)(
  `a dropbear host is like any other: sftp is never asked for (row 12; ${dropbearReason})`,
  async () => {
    await using dropbear = await startDropbear();
    const transport = await openTransport(dropbear.resolved, { connectTimeoutMs: 15_000, keepaliveMs: 5_000 });
    try {
      await wholeStory(transport);
    } finally {
      await endStub(join(dropbear.home, ".opencode-remote-ssh"));
      await transport.close();
    }
  },
);
