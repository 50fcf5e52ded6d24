// scripts/setup-host.sh, as a person without OpenCode runs it: OpenSSH and a POSIX shell, nothing else.
import { spawn } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { bootstrap } from "../../plugin/bootstrap/bootstrap.js";
import { bundledStub } from "../../plugin/bootstrap/manifest.js";
import { upload } from "../../plugin/bootstrap/upload.js";
import { INSTALL } from "../../protocol/install.js";
import { makeLaptop } from "./fixtures/laptop.js";
import { descendants, signal } from "./fixtures/processes.js";
import { hasSshd, type Sshd, sshdReason, startSshd } from "./fixtures/sshd.js";
import { standInStub } from "./fixtures/stand-in-stub.js";
import { startStubHost, startTimeOf, waitUntil } from "./fixtures/stub-host.js";
import { isRoot } from "./fixtures/users.js";

const ROOT = join(import.meta.dirname, "../..");
const SCRIPT = join(ROOT, "scripts/setup-host.sh");
const real = bundledStub();

interface Run {
  status: number | null;
  stdout: string;
  stderr: string;
  /** What it left in its temporary directory. */
  left: string[];
}

/** `shell SCRIPT -F config host user` in a directory that is not the checkout's. */
async function setup(
  sshd: Sshd,
  options: {
    args?: string[];
    host?: string;
    user?: string;
    script?: string;
    shell?: string[];
    config?: string;
    onStart?: (temporaryDirectory: string) => void;
    onStderr?: (text: string, pid: number) => void;
  } = {},
): Promise<Run> {
  const work = await mkdtemp(join(tmpdir(), "ocr-setup-"));
  const tmp = join(work, "tmp");
  await mkdir(tmp);
  options.onStart?.(tmp);
  const config = join(work, "config");
  await writeFile(
    config,
    `${options.config ?? ""}\nHost web\n  HostName 127.0.0.1\n  Port ${sshd.port}\n  IdentityFile ${sshd.identityFile}\n  IdentitiesOnly yes\n  UserKnownHostsFile ${sshd.knownHostsFile}\n  GlobalKnownHostsFile /dev/null\n`,
  );
  const [program = "sh", ...first] = options.shell ?? ["sh"];
  const words = [
    ...first,
    options.script ?? SCRIPT,
    "-F",
    config,
    ...(options.args ?? []),
    options.host ?? "web",
    options.user ?? sshd.user,
  ];
  const child = spawn(program, words, {
    cwd: work,
    env: { ...process.env, TMPDIR: tmp },
    stdio: ["ignore", "pipe", "pipe"],
    // A process group of its own, as a terminal gives it: Ctrl-C is for all of it.
    detached: true,
  });
  const out: Record<"stdout" | "stderr", string> = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk: Buffer) => {
    out.stdout += chunk;
  });
  child.stderr.on("data", (chunk: Buffer) => {
    out.stderr += chunk;
    options.onStderr?.(out.stderr, child.pid ?? 0);
  });
  const status = await new Promise<number | null>((resolve) => child.once("close", resolve));
  const left = await readdir(tmp);
  await rm(work, { recursive: true, force: true });
  return { status, ...out, left };
}

describe.skipIf(!hasSshd)(`setup-host.sh (${sshdReason})`, () => {
  it.each(["dash", "bash", "busybox sh"])(
    "provisions a bare host by %s; the second time it sends nothing",
    async (shell) => {
      await using host = await startStubHost();
      const first = await setup(host.sshd, { shell: shell.split(" ") });
      expect(first).toMatchObject({ status: 0, stdout: "ok web\n", left: [] });
      expect(first.stderr).toContain("uploading the stub");
      const { pid, instanceID, startTime } = host.stubJson();
      expect(first.stderr).toContain(`process ${pid}, instance ${instanceID}`);
      expect(startTimeOf(pid)).toBe(startTime);
      const second = await setup(host.sshd, { shell: shell.split(" ") });
      expect(second).toMatchObject({ status: 0, left: [] });
      expect(second.stderr).not.toContain("uploading");
      expect(host.stubJson().instanceID).toBe(instanceID);
      // No master of a shared connection stays behind, on either side (row 17).
      await waitUntil(() => host.sshd.connections().length === 0, "no connection is left");
    },
  );

  it("makes what the plugin then finds, and the other way round", async () => {
    await using host = await startStubHost({ extraConfig: ["AllowTcpForwarding no", "AllowStreamLocalForwarding no"] });
    await using laptop = await makeLaptop();
    expect(await setup(host.sshd)).toMatchObject({ status: 0 });
    const { link } = laptop.link(host.sshd.resolved, real);
    const identity = await link.ready();
    expect(link.report).toMatchObject({ uploaded: false, started: false });
    const again = await setup(host.sshd);
    expect(again.stderr).toContain(identity.instanceID);
  });

  it("never has the token in an argv, a file or its output", async () => {
    await using host = await startStubHost();
    await setup(host.sshd);
    const token = (await readFile(join(host.root, INSTALL.token), "utf8")).trim();
    const seen: string[] = [];
    const files = new Set<string>();
    let tmp = "";
    let watching = true;
    const watch = (async () => {
      while (watching) {
        for (const { pid } of descendants(process.pid)) {
          seen.push(await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => ""));
          seen.push(await readFile(`/proc/${pid}/environ`, "utf8").catch(() => ""));
        }
        for (const name of await readdir(tmp, { recursive: true }).catch(() => [])) {
          files.add(name.replace(/ocrs\.\w+/, "work"));
          seen.push(await readFile(join(tmp, name), "utf8").catch(() => ""));
        }
      }
    })();
    const { stdout, stderr } = await setup(host.sshd, {
      onStart: (directory) => {
        tmp = directory;
      },
    });
    watching = false;
    await watch;
    expect(seen.some((text) => text.includes("setup-host.sh"))).toBe(true);
    expect(files).toContain("work/err");
    expect(seen.some((text) => text.includes(token))).toBe(false);
    expect(stdout + stderr).not.toContain(token);
  });

  it("says that it failed when the stub cannot start (row 3), with what the host said", async () => {
    await using host = await startStubHost();
    const transport = await host.connect();
    await upload(transport, { installRoot: host.root, stub: standInStub({ version: "9.0.0", launchStatus: 73 }) });
    const run = await setup(host.sshd);
    expect(run).toMatchObject({ status: 1, stdout: "", left: [] });
    expect(run.stderr).toContain("error address_space_limited: the launcher says why\n");
  });

  it("lets a newer stub take over from an older one, whatever runs under it", async () => {
    await using host = await startStubHost();
    const transport = await host.connect();
    const older = standInStub({ version: "0.0.9", running: 3 });
    const { identity } = await bootstrap(transport, { installRoot: host.root, stub: older });
    const run = await setup(host.sshd);
    // The stand-in holds no lock, so nobody asked it to end.
    signal(identity.pid, "SIGTERM");
    expect(run.stderr).toContain("takes over from the one that runs");
    expect(run.status).toBe(0);
    expect(host.stubJson().instanceID).not.toBe(identity.instanceID);
  });

  it.each([
    {
      what: "a key that the host does not know",
      change: (sshd: Sshd) => writeFile(sshd.authorizedKeysFile, ""),
      code: "auth_failed",
    },
    {
      what: "a host key that is not known",
      change: (sshd: Sshd) => writeFile(sshd.knownHostsFile, ""),
      code: "host_key_unknown",
    },
    { what: "nobody who listens", change: (sshd: Sshd) => sshd.stop(), code: "host_unreachable" },
  ])("ends with an error, a hint and nothing left for $what", async ({ change, code }) => {
    await using host = await startStubHost();
    const { sshd } = host;
    const copy = await mkdtemp(join(tmpdir(), "ocr-keys-"));
    for (const name of ["id", "known_hosts"]) await cp(join(sshd.directory, name), join(copy, name));
    await change(sshd);
    await cp(sshd.knownHostsFile, join(copy, "known_hosts")).catch(() => undefined);
    const kept = { ...sshd, identityFile: join(copy, "id"), knownHostsFile: join(copy, "known_hosts") };
    const run = await setup(kept);
    await rm(copy, { recursive: true });
    expect(run).toMatchObject({ status: 1, stdout: "", left: [] });
    expect(run.stderr).toMatch(new RegExp(`^error ${code}: .+\nhint: .+$`, "m"));
  });

  it.skipIf(!isRoot)("says what the account's shell said where it runs nothing (needs root)", async () => {
    await using sshd = await startSshd({ loginShell: "/usr/sbin/nologin" });
    const result = await setup(sshd, { user: sshd.user });
    expect(result.status).toBe(1);
    expect(result.stderr).toMatch(/\nerror install_failed: .*not available.*\nhint: .*ssh HOST sh\n$/);
  });

  it("waits for the stub's answer with its own side open: the stub gives up on who has hung up", async () => {
    const root = join(await mkdtemp(join(tmpdir(), "ocr-request-")), "root");
    await mkdir(join(root, "bin"), { recursive: true });
    await mkdir(join(root, "run"));
    await writeFile(join(root, "bin/opencode-remote-ssh-stub"), real.open(), { mode: 0o755 });
    const socket = join(root, "run/stub.sock");
    await writeFile(join(root, "run/stub.json"), JSON.stringify({ socket }));
    // Node's own server, as in the stub; the pause is what a busy host takes
    const server = createServer((_request, answer) => void setTimeout(() => answer.end("slow but there"), 250));
    await new Promise<void>((resolve) => server.listen(socket, resolve));
    const scripts = join(ROOT, "plugin/bootstrap/host");
    const text = [
      `nonce=n; install_root='${root}'; path=/global/health; token=t`,
      await readFile(join(scripts, "common.sh"), "utf8"),
      await readFile(join(scripts, "request.sh"), "utf8"),
      "main; exit",
    ].join("\n");
    const ask = async (script: string) => {
      const child = spawn("sh", [], { stdio: ["pipe", "pipe", "inherit"] });
      child.stdin.end(script);
      let said = "";
      for await (const data of child.stdout) said += data;
      return said;
    };
    expect(await ask(text)).toMatch(/HTTP\/1\.1 200 OK\r\n.*slow but there/s);
    // control: who hangs up at once is told nothing
    expect(await ask(text.replace(/^ {2}while \[ \$ticks .*$/m, ""))).not.toContain("HTTP/1.1");
    await new Promise((resolve) => server.close(resolve));
    await rm(join(root, ".."), { recursive: true });
  });

  it("ends with name_unresolved for a host that does not exist", async () => {
    await using host = await startStubHost();
    const run = await setup(host.sshd, { host: "no-such-host.invalid" });
    expect(run).toMatchObject({ status: 1, left: [] });
    expect(run.stderr).toMatch(/error name_unresolved/);
  });

  it("leaves nothing on either side after Ctrl-C in the middle of the upload", async () => {
    await using host = await startStubHost();
    let pressed = false;
    const run = await setup(host.sshd, {
      onStderr: (text, pid) => {
        if (pressed || !text.includes("uploading")) return;
        pressed = true;
        const poll = setInterval(() => {
          readdir(join(host.root, "bin")).then(
            (names) => {
              if (!names.some((name) => name.startsWith(".upload-"))) return;
              clearInterval(poll);
              process.kill(-pid, "SIGINT");
            },
            () => undefined,
          );
        }, 5);
      },
    });
    expect(run.status).toBe(130);
    expect(run).toMatchObject({ stdout: "", left: [] });
    await waitUntil(() => host.sshd.connections().length === 0, "no connection is left");
    await waitUntil(async () => (await readdir(join(host.root, "bin"))).length === 0, "no temporary file is left");
    expect(await setup(host.sshd)).toMatchObject({ status: 0 });
  });

  it("explains itself, and wrong usage", async () => {
    await using host = await startStubHost();
    expect(await setup(host.sshd, { args: ["--help"] })).toMatchObject({
      status: 0,
      stdout: expect.stringContaining("usage: setup-host.sh"),
    });
    for (const args of [["--frobnicate"], ["-F"]]) {
      const run = await setup(host.sshd, { args });
      expect([1, 2]).toContain(run.status);
      expect(run.stderr).toMatch(/^error \w+: /);
    }
    expect(await setup(host.sshd, { user: "-oProxyCommand=touch pwned" })).toMatchObject({ status: 2 });
    expect(await setup(host.sshd, { host: "-oProxyCommand=touch pwned" })).toMatchObject({ status: 2 });
  });

  it("works from a path with blanks, and finds its package through its own place only (row 6)", async () => {
    await using host = await startStubHost();
    const place = await mkdtemp(join(tmpdir(), "ocr a b'c-"));
    await mkdir(join(place, "scripts"));
    await mkdir(join(place, "plugin/bootstrap"), { recursive: true });
    await cp(SCRIPT, join(place, "scripts/setup-host.sh"));
    await cp(join(ROOT, "plugin/bootstrap/host"), join(place, "plugin/bootstrap/host"), { recursive: true });
    const script = join(place, "scripts/setup-host.sh");
    const bare = await setup(host.sshd, { script });
    expect(bare).toMatchObject({ status: 1, stderr: expect.stringContaining("error bundle_missing") });
    await symlink(join(ROOT, "dist"), join(place, "dist"));
    expect(await setup(host.sshd, { script })).toMatchObject({ status: 0 });
    await rm(place, { recursive: true });
  });

  it.skipIf(!isRoot)("does not mind a login shell that talks, and is not sh (needs root)", async () => {
    await using host = await startStubHost({ loginShell: "/bin/tcsh" });
    await writeFile(join(host.sshd.home, ".tcshrc"), 'echo "BANNER /tmp x86_64"\n');
    expect(await setup(host.sshd)).toMatchObject({ status: 0, stdout: "ok web\n" });
    expect((await readdir(host.sshd.home)).sort()).toEqual([".opencode-remote-ssh", ".tcshrc"]);
  });
});
