// `helper confine` at the levels where the kernel itself refuses. As root, who is held too, and as an ordinary user.

import { spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import {
  chown,
  mkdir,
  mkdtemp,
  open,
  readFile,
  realpath,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { BASE, confine, ORDINARY, outcomeOf } from "../fixtures/confined.js";
import { cCompiler, helperBinary } from "../fixtures/helper-binary.js";
import { onOlderKernel } from "../fixtures/older-kernel.js";
import { describe } from "../fixtures/with-compiler.js";

const probe = JSON.parse((await cCompiler()) === undefined ? "{}" : (await confine(["--probe"])).stdout) as {
  landlockAbi: number;
  notify: boolean;
  levels: Record<string, { ok: boolean; reason?: string; errno?: number }>;
};
const isRoot = process.getuid?.() === 0;
const USERS = [
  { who: "an ordinary user", uid: isRoot ? ORDINARY : undefined },
  ...(isRoot ? [{ who: "root", uid: undefined }] : []),
];

const LEVELS = ["landlock", "mount", "mount+landlock"];
const CASES = LEVELS.flatMap((level) => USERS.map((user) => ({ level, ...user })));

describe.each(CASES)("a command of $who, confined at $level", ({ level, uid }) => {
  const mounted = level !== "landlock";
  let policies = 0;
  let top = ""; // holds `in`, which is approved, and `out`, which is not
  beforeEach(async ({ skip }) => {
    const { ok, reason } = probe.levels[level] ?? { ok: false };
    if (!ok) skip(`this host does not give the level: ${reason}`);
    top = await realpath(await mkdtemp(join(tmpdir(), "ocrs-confine-")));
    for (const name of ["in", "out"]) {
      await mkdir(join(top, name));
      await writeFile(join(top, name, "secret"), `secret of ${name}\n`);
    }
    if (uid !== undefined)
      for (const name of ["", "in", "out", "in/secret", "out/secret"]) await chown(join(top, name), uid, uid);
  });
  afterEach(() => top && rm(top, { recursive: true, force: true }));

  const identity = uid === undefined ? {} : { uid };
  const held = (script: string, { args = ["--rw", join(top, "in")], before = [] as string[] } = {}) =>
    confine(["--level", level, ...BASE, ...args, "--", "sh", "-c", script], { cwd: top, before, ...identity });
  const python = (script: string, args?: string[]) =>
    confine(["--level", level, ...BASE, ...(args ?? ["--rw", join(top, "in")]), "--", "python3", "-c", script], {
      cwd: top,
      ...identity,
    });
  const free = (script: string) => outcomeOf(["sh", "-c", script], { cwd: top, ...identity });
  const policy = async (...lines: string[]) => {
    const file = join(top, `policy${++policies}`);
    const base = ["sys - /usr", "sys - /bin", "sys - /lib", "sys - /lib64", "dev - /dev/null"];
    await writeFile(file, ["confine 1", ...base, ...lines].map((line) => `${line}\0`).join(""));
    return (...command: string[]) => confine(["--level", level, "--policy", file, "--", ...command], identity);
  };
  const identityOf = async (path: string) => {
    const { dev, ino } = await stat(path, { bigint: true });
    return `${dev}:${ino}`;
  };

  it("reads and writes what was approved", async () => {
    expect(
      await held(
        "cat in/secret && echo new > in/new && mkdir in/sub && mv in/new in/sub/x && cat in/sub/x && rm -r in/sub",
      ),
    ).toEqual({
      status: 0,
      signal: null,
      stdout: "secret of in\nnew\n",
      stderr: "",
    });
  });

  it.each([
    "cat out/secret",
    "cat in/../out/secret",
    "ls out",
    ...(mounted ? [] : ["ls ."]), // there it lists what leads to what was approved
    "echo x > out/new",
    "echo x >> out/secret",
    "rm out/secret",
    "mkdir out/sub",
    "mv in/secret out/moved",
    "mv out/secret in/moved",
    "ln out/secret in/hard && cat in/hard",
    "ln -sf ../out/secret in/soft && cat in/soft",
    "cp /usr/bin/true in/it && mv in/it out/it",
    "python3 -c 'import os; os.truncate(\"out/secret\", 0)'",
    "cd out && cat secret",
    "cat /proc/OTHER/environ",
    "cat /proc/OTHER/cwd/out/secret",
    "cat /proc/OTHER/root/etc/passwd",
    "cat /etc/passwd",
  ])("%s: refused by the kernel, and it works unconfined", async (script) => {
    const other = spawn("sleep", ["600"], {
      cwd: top,
      stdio: "ignore",
      ...identity,
      ...(uid === undefined ? {} : { gid: uid }),
    });
    await once(other, "spawn");
    try {
      const real = script.replaceAll("OTHER", String(other.pid));
      expect((await held(real)).status).not.toBe(0);
      expect(await readFile(join(top, "out/secret"), "utf8")).toBe("secret of out\n");
      expect(await free(real)).toMatchObject({ status: 0 });
    } finally {
      other.kill("SIGKILL");
    }
  });

  it("may read and execute what was approved to read, and change nothing there", async () => {
    const read = ["--ro", join(top, "in")];
    await writeFile(join(top, "in/run"), "#!/bin/sh\necho ran\n", { mode: 0o755 });
    expect(await held("cat in/secret && in/run", { args: read })).toMatchObject({
      status: 0,
      stdout: "secret of in\nran\n",
    });
    for (const script of [
      "echo x > in/secret",
      "rm in/secret",
      "touch in/new",
      ": > in/secret",
      "mkdir in/sub",
      "ln in/secret in/b",
    ])
      expect((await held(script, { args: read })).status, script).not.toBe(0);
    expect(await readFile(join(top, "in/secret"), "utf8")).toBe("secret of in\n");
  });

  it("executes nothing that was not approved", async () => {
    await writeFile(join(top, "out/run"), "#!/bin/sh\necho ran\n", { mode: 0o755 });
    expect((await held("out/run")).status).toBe(mounted ? 127 : 126);
    expect(await free("out/run")).toMatchObject({ status: 0, stdout: "ran\n" });
  });

  it("has descendants that are held like itself, whatever they do to leave it", async () => {
    const script =
      "setsid sh -c 'cat out/secret; echo x > out/left' & wait; (trap '' HUP; nohup cat out/secret) 2>/dev/null; env -i /bin/cat out/secret";
    expect(await held(script)).toMatchObject({ status: 1, stdout: "" });
    await expect(stat(join(top, "out/left"))).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("reaches one approved file and nothing beside it", async () => {
    const one = ["--rw", join(top, "out/secret")];
    expect(await held("cat out/secret && echo changed > out/secret", { args: one })).toMatchObject({
      status: 0,
      stdout: "secret of out\n",
    });
    expect(await readFile(join(top, "out/secret"), "utf8")).toBe("changed\n");
    for (const script of [
      mounted ? "cat out/none" : "ls out",
      "touch out/other",
      "rm out/secret",
      "mv out/secret out/b",
    ])
      expect((await held(script, { args: one })).status, script).not.toBe(0);
    expect((await held("echo x > out/secret", { args: ["--ro", join(top, "out/secret")] })).status).not.toBe(0);
  });

  it("does not start where an approved directory was swapped for a link; the naive way follows it", async () => {
    const run = await policy(`rw ${await identityOf(join(top, "in"))} ${join(top, "in")}`);
    expect(await run("cat", join(top, "in/secret"))).toMatchObject({ status: 0, stdout: "secret of in\n" });
    await rename(join(top, "in"), join(top, "old"));
    await symlink("out", join(top, "in"));
    expect(await run("cat", join(top, "in/secret"))).toEqual({
      status: 123,
      signal: null,
      stdout: "",
      stderr: `confine: ${join(top, "in")} is no longer what was approved\n`,
    });
    expect(await held(`cat ${join(top, "in/secret")}`, { args: ["--sys", join(top, "in")] })).toMatchObject({
      stdout: "secret of out\n",
    });
  });

  it("does not start where another directory lies in the place of the approved one, or of its parent", async () => {
    const run = await policy(`rw ${await identityOf(join(top, "in"))} ${join(top, "in")}`);
    const file = await policy(`rw-file ${await identityOf(join(top, "out"))} ${join(top, "out/secret")}`);
    await rename(join(top, "in"), join(top, "old"));
    expect((await file("true")).status).toBe(0);
    expect((await run("true")).status).toBe(0); // gone: there is nothing to grant
    await mkdir(join(top, "in"));
    expect((await run("true")).status).toBe(123);
    await rm(join(top, "out"), { recursive: true });
    await rename(join(top, "old"), join(top, "out"));
    expect((await file("true")).status).toBe(123);
  });

  it("does not start with a file or directory as 0, 1 or 2, and inherits nothing above", async () => {
    await using file = await open(join(top, "out/secret"), "r+");
    await using directory = await open(top, "r");
    const args = ["--level", level, ...BASE, "--", "sh", "-c", "cat /proc/self/fd/0 <&4"];
    for (const stdio of [
      [file.fd, "pipe", "pipe"],
      ["ignore", file.fd, "pipe"],
      ["ignore", "pipe", directory.fd],
      [directory.fd, "pipe", "pipe"],
    ])
      expect((await confine(args, { ...identity, stdio: stdio as number[] })).status).toBe(122);
    const above = await confine(args, { ...identity, stdio: ["ignore", "pipe", "pipe", "ignore", file.fd] });
    expect(above).toMatchObject({ stdout: "", stderr: expect.stringContaining("4: Bad file descriptor") });
    const control = await outcomeOf(args.slice(args.indexOf("--") + 1), {
      ...identity,
      stdio: ["ignore", "pipe", "pipe", "ignore", file.fd],
    });
    expect(control.stdout).toBe("secret of out\n");
  });

  it("talks to no unix socket of others, and uses pairs of its own", async () => {
    const script = (kind: string) => `
import socket, sys
def tried(what):
    try:
        what(); return "works"
    except OSError as e:
        return e.strerror
print(tried(lambda: socket.socket(socket.AF_UNIX)), tried(socket.socketpair), tried(lambda: socket.socketpair(type=socket.${kind})))`;
    expect((await python(script("SOCK_DGRAM"))).stdout).toBe("Operation not permitted works Operation not permitted\n");
    expect((await python(script("SOCK_SEQPACKET"))).stdout).toBe("Operation not permitted works works\n");
  });

  it("without network reaches nothing by TCP or UDP; with it, it does", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    const datagrams = createSocket("udp4").bind(0, "127.0.0.1");
    await Promise.all([once(server, "listening"), once(datagrams, "listening")]);
    let heard = 0;
    datagrams.on("message", () => (heard += 1));
    const script = `
import socket
try:
    socket.create_connection(("127.0.0.1", ${(server.address() as AddressInfo).port})); print("works")
except OSError as e:
    print("refused")
try:
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", ${datagrams.address().port})); print("sent")
except OSError as e:
    print("not sent")`;
    expect((await python(script, [])).stdout).toBe("works\nsent\n");
    while (heard === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    for (const abi of ["1", "3", "99"].slice(level === "mount" ? 2 : 0)) {
      const { stdout } = await python(script, ["--no-network", "--max-abi", abi]);
      expect(stdout).toBe(mounted ? "refused\nsent\n" : "refused\nnot sent\n"); // its own network: sent to nobody
    }
    expect(heard).toBe(1);
    server.close();
    datagrams.close();
  });

  it("makes no namespaces, mounts nothing, and gains no rights", async () => {
    for (const script of [
      "unshare -U true",
      "unshare -m true",
      "mount -t tmpfs x in",
      "chroot in true",
      "nsenter -t $$ -m true",
    ])
      expect((await held(script)).status, script).not.toBe(0);
    const { stdout } = await held("grep -E 'CapEff|NoNewPrivs|Seccomp:' /proc/self/status");
    // chown, files of others, their modes, their signals, their users, low ports
    expect(stdout).toBe(
      `CapEff:\t${uid === undefined && isRoot ? "00000000000004fb" : "0000000000000000"}\nNoNewPrivs:\t1\nSeccomp:\t2\n`,
    );
  });

  if (!mounted)
    describe("where Landlock lacks something (an ABI that is lowered by hand)", () => {
      const truncate = (how: string, path: string) =>
        `
import os
try:
    ${how}
    print("truncated")
except OSError as e:
    print(e.strerror)`.replaceAll("PATH", JSON.stringify(path));

      it.each(["os.truncate(PATH, 0)", "os.open(PATH, os.O_RDONLY | os.O_TRUNC)", "os.open(PATH, 3 | os.O_TRUNC)"])(
        "%s truncates nothing at any ABI",
        async (how) => {
          for (const abi of ["1", "2", "3", "99"])
            for (const name of ["in", "out"]) {
              const path = join(top, name, "secret");
              const answer = await python(truncate(how, path), ["--ro", join(top, "in"), "--max-abi", abi]);
              expect([abi, name, answer.stdout]).toEqual([abi, name, "Permission denied\n"]);
              expect(await readFile(path, "utf8")).toBe(`secret of ${name}\n`);
            }
          const free = await outcomeOf(["python3", "-c", truncate(how, join(top, "out/secret"))], identity);
          expect(free.stdout).toBe("truncated\n");
          expect((await stat(join(top, "out/secret"))).size).toBe(0);
        },
      );

      it("below ABI 3 programs still write anew what they may write", async () => {
        for (const abi of ["1", "2"])
          expect(
            await held("echo again > in/secret && cat in/secret", {
              args: ["--rw", join(top, "in"), "--max-abi", abi],
            }),
          ).toMatchObject({
            status: 0,
            stdout: "again\n",
          });
      });

      it("at ABI 1 a move between directories copies, and nothing is lost", async () => {
        const args = ["--rw", join(top, "in"), "--max-abi"];
        const rename = 'python3 -c \'import os; os.rename("in/a/f", "in/b/f")\'';
        const prepare = "mkdir -p in/a in/b && echo text > in/a/f && ";
        expect((await held(prepare + rename, { args: [...args, "1"] })).stderr).toContain("Invalid cross-device link");
        expect(
          await held(`${prepare}mv in/a/f in/b/f && cat in/b/f && ls in/a`, { args: [...args, "1"] }),
        ).toMatchObject({ status: 0, stdout: "text\n" });
        expect((await held(prepare + rename, { args: [...args, "2"] })).status).toBe(0);
      });

      it("from ABI 6 on signals reach nobody else; below they are a named gap", async () => {
        const script = (args: string[]) => held(`kill -0 ${process.pid}`, { args });
        if (uid === undefined || !isRoot) expect((await script(["--max-abi", "5"])).status).toBe(0);
        expect((await script([])).status).not.toBe(0);
      });
    });

  it("ends with its own status, or by its own signal, which others may send", async () => {
    expect(await held("exit 7")).toMatchObject({ status: 7, signal: null });
    expect(await held("kill -9 $$")).toMatchObject({ status: null, signal: "SIGKILL" });
    const child = spawn(
      await helperBinary(),
      [
        "confine",
        "--level",
        level,
        ...BASE,
        "--",
        "sh",
        "-c",
        "trap 'exit 9' TERM; echo ready; while :; do sleep 0.01; done",
      ],
      {
        stdio: ["ignore", "pipe", "ignore"],
        ...identity,
      },
    );
    await once(child.stdout, "data");
    child.kill("SIGTERM");
    expect(await once(child, "exit")).toEqual([9, null]);
  });

  it("may leave something running, which is held as well", async () => {
    const script = "(sleep 0.2; cat out/secret > in/leaked; echo done > in/after) & exit 3";
    expect(await held(`${script}`.replace(") &", ") >/dev/null 2>&1 &"))).toMatchObject({ status: 3 });
    for (;;) {
      const text = await readFile(join(top, "in/after"), "utf8").catch(() => ""); // not there yet
      if (text === "done\n") break;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(await readFile(join(top, "in/leaked"), "utf8")).toBe("");
  });

  it("on a kernel without openat2 the component walk refuses the same links", async () => {
    const before = await onOlderKernel("below5_6");
    // Landlock came after openat2, so no real kernel is like this one: guard looks at the policy with the same code
    const at = (path: string) =>
      confine(["--level", "guard", ...BASE, "--policy", path, "--", "true"], { before, ...identity });
    const write = async (line: string) => {
      const file = join(top, "policy");
      await writeFile(
        file,
        ["confine 1", "sys - /usr", "sys - /bin", "sys - /lib", "sys - /lib64", line]
          .map((each) => `${each}\0`)
          .join(""),
      );
      return at(file);
    };
    const line = `rw ${await identityOf(join(top, "in"))} ${join(top, "in")}`;
    expect((await write(line)).status).toBe(0);
    await rename(join(top, "in"), join(top, "old"));
    await symlink("old", join(top, "in"));
    expect((await write(line)).status).toBe(123);
  });
});

describe("helper confine", () => {
  const status = async (...args: string[]) => (await confine(args)).status;

  it("says by its status why nothing ran", async () => {
    const landlock = ["--level", "landlock", ...BASE];
    expect(await status("--level", "fence", "--", "true")).toBe(125);
    expect(await status("--", "true")).toBe(125);
    expect(await status(...landlock)).toBe(125);
    expect(await status(...landlock, "--ro", "/no/such/path", "--", "true")).toBe(125);
    expect(await status(...landlock, "--policy", "/no/such/policy", "--", "true")).toBe(125);
    expect(await status(...landlock, "--policy", "/dev/null", "--", "true")).toBe(125);
    expect(await status(...landlock, "--cwd", "/no/such/path", "--", "true")).toBe(125);
    expect(await status(...landlock, "--cwd", "/proc/self/cwd", "--", "true")).toBe(125);
    expect(await status(...landlock, "--wrong")).toBe(125);
    expect(await status(...landlock, "--min-abi", "99", "--", "true")).toBe(124);
    expect(await status(...landlock, "--max-abi", "0", "--", "true")).toBe(124);
    expect(await status(...landlock, "--", "no-such-program")).toBe(127);
    expect(await status(...landlock, "--", "/usr")).toBe(126);
    expect(await status(...landlock, "--", "sh", "-c", "exit 7")).toBe(7);
  });

  it("--cwd is where it starts, approved or not, and no link", async () => {
    const here = dirname(await realpath("/usr/bin"));
    expect((await confine(["--level", "landlock", ...BASE, "--cwd", here, "--", "pwd"])).stdout).toBe(`${here}\n`);
  });

  it("--probe finds what works by being confined, and what older kernels lack with its reason", async () => {
    expect(probe).toMatchObject({ landlockAbi: expect.any(Number), notify: expect.any(Boolean) });
    expect(Object.keys(probe.levels)).toEqual(["mount+landlock", "landlock", "mount", "guard"]);
    expect(probe.levels.landlock?.ok).toBe(probe.landlockAbi > 0);
    const on = async (kernel: "below5_13" | "rhel8") =>
      JSON.parse((await confine(["--probe"], { before: await onOlderKernel(kernel) })).stdout) as typeof probe;
    expect(await on("below5_13")).toMatchObject({
      landlockAbi: 0,
      notify: probe.notify,
      levels: {
        landlock: { ok: false, reason: expect.stringContaining("landlock: "), errno: expect.any(Number) },
        "mount+landlock": { ok: false },
      },
    });
    expect(await on("rhel8")).toMatchObject({
      notify: false,
      levels: { landlock: { ok: false }, guard: probe.levels.guard },
    });
  });

  it("--help names every option, and how it ends", async () => {
    const { stdout, status } = await confine(["--help"]);
    expect(status).toBe(0);
    for (const word of ["--level", "--policy", "--ro", "--rw", "--no-network", "--min-abi", "--probe", "123"])
      expect(stdout).toContain(word);
  });
});
