// A virtual machine in software emulation: it needs no rights and no hardware help, and takes some seconds to boot.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { keyPart, makeKey } from "../../ssh/fixtures/keys.js";
import { freePort } from "../../ssh/fixtures/ports.js";
import { signal } from "../../ssh/fixtures/processes.js";
import type { Arch, Suite } from "./debian.js";
import { guestDisk } from "./disk.js";
import { debianKernel } from "./kernel.js";

export interface Guest {
  name: string;
  suite: Suite;
  arch: Arch;
  /** The kernel starts with these security modules, and no others; default: Debian's. */
  lsm?: string;
  /** Limit of user namespaces; 0: there are none. Default: the kernel's. */
  userNamespaces?: number;
}

export interface ShellResult {
  status: number | null;
  stdout: string;
  stderr: string;
}

export interface Machine {
  guest: Guest;
  /** `uname -r` and the security modules, as the guest said at boot. */
  kernel: string;
  lsm: string;
  /** For programs that log in by themselves: alias `guest`, user labuser. */
  sshConfig: string;
  /** As labuser, by SSH, through its login shell; `input` goes to its stdin. */
  shell(line: string, options?: { input?: Buffer | string; signal?: AbortSignal }): Promise<ShellResult>;
  /** Ends it. Nothing of it is kept. */
  [Symbol.asyncDispose](): Promise<void>;
}

const X64 = [
  "max",
  // QEMU 7.2 now and then spoils the flags behind a cmpxchg16b, and kernels from 6.12 on fall over it
  "-cx16",
  // What a processor does fast is slow in emulation: a copy of strings goes byte by byte ("erms") or word by word (which kernels
  // take from this model on), wide registers are imitated in software, and a switch of "smap" ends what is translated at once.
  ...["-erms", "family=15", "model=4", "stepping=1", "-avx", "-avx2", "-smap", "-smep", "-la57"],
];
/** Signed pointers are emulated by a real cipher. */
const ARM64 = ["max", "pauth=off", "sve=off", "sme=off"];
const EMULATORS: Record<Arch, string[]> = {
  amd64: ["qemu-system-x86_64", "-accel", "tcg", "-cpu", X64.join(",")],
  arm64: ["qemu-system-aarch64", "-machine", "virt", "-cpu", ARM64.join(",")],
};
const CONSOLES: Record<Arch, string> = { amd64: "ttyS0", arm64: "ttyAMA0" };
const MEMORY_MIB = 2048;

export async function bootGuest(guest: Guest): Promise<Machine> {
  const [kernel, disk] = await Promise.all([debianKernel(guest.suite, guest.arch), guestDisk(guest.arch)]);
  const folder = await mkdtemp(join(tmpdir(), "ocr-vm-"));
  const identity = join(folder, "id");
  const key = keyPart(await makeKey(identity)).split(" ")[1];
  const port = await freePort();
  const console = join(folder, "console.log");
  const options = [
    // what the emulator has translated lies by address: a program is translated once, not each time that it is started (four times as fast)
    "norandmaps",
    // nothing here looks for what these cost: zeroed memory everywhere, and an audit that nobody reads
    "init_on_alloc=0 audit=0",
    `console=${CONSOLES[guest.arch]} quiet panic=-1 rdinit=/init vmname=${guest.name} vmkey=${key}`,
    ...(guest.lsm === undefined ? [] : [`lsm=${guest.lsm}`]),
    ...(guest.userNamespaces === undefined ? [] : [`vmuserns=${guest.userNamespaces}`]),
  ];
  const [program = "", ...machine] = EMULATORS[guest.arch];
  const child = spawn(
    program,
    [
      ...machine,
      ...["-m", String(MEMORY_MIB), "-display", "none", "-no-reboot", "-serial", `file:${console}`],
      ...["-kernel", kernel.image, "-initrd", kernel.initramfs, "-append", options.join(" ")],
      ...["-drive", `file=${disk},format=raw,if=none,id=disk,readonly=on`, "-device", "virtio-blk-pci,drive=disk"],
      // the guest reaches nothing; only its sshd can be reached, from here
      ...["-netdev", `user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:${port}-:22`],
      ...["-device", "virtio-net-pci,netdev=net,romfile="],
    ],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  const { ended, complaint } = watch(child);
  const sshConfig = join(folder, "ssh_config");
  await writeFile(sshConfig, clientConfig({ port, identity, knownHosts: join(folder, "known_hosts") }));

  const dispose = async () => {
    if (child.pid !== undefined) signal(child.pid, "SIGKILL");
    await ended;
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const over = () => child.exitCode !== null || child.signalCode !== null;
    const ready = await consoleSays(console, /VM-READY (\S+) (.*)/, over);
    if (ready === undefined) throw new Error(`${guest.name} did not boot: ${complaint()}${await consoleText(console)}`);
    const shell = shellOf(sshConfig);
    // sshd listens a moment after the console has spoken
    while ((await shell("true")).status !== 0) {
      if (over()) throw new Error(`${guest.name} ended: ${await consoleText(console)}`);
      await sleep(200);
    }
    return {
      guest,
      kernel: ready[1] ?? "",
      lsm: (ready[2] ?? "").trim(),
      sshConfig,
      shell,
      [Symbol.asyncDispose]: dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

function clientConfig({ port, identity, knownHosts }: { port: number; identity: string; knownHosts: string }): string {
  return [
    "Host guest",
    "  HostName 127.0.0.1",
    `  Port ${port}`,
    "  User labuser",
    `  IdentityFile ${identity}`,
    "  IdentitiesOnly yes",
    `  UserKnownHostsFile ${knownHosts}`,
    "  LogLevel ERROR",
    "",
  ].join("\n");
}

function shellOf(sshConfig: string): Machine["shell"] {
  return (line, { input, signal } = {}) =>
    new Promise((resolve, reject) => {
      // a guest's key is new each time: the first login writes it down
      const args = [
        "-F",
        sshConfig,
        "-o",
        "StrictHostKeyChecking=accept-new",
        "-o",
        "ConnectTimeout=60",
        "guest",
        line,
      ];
      const child = spawn("ssh", args, { stdio: ["pipe", "pipe", "pipe"], signal });
      const output = { stdout: "", stderr: "" };
      child.stdout.setEncoding("utf8").on("data", (text: string) => {
        output.stdout += text;
      });
      child.stderr.setEncoding("utf8").on("data", (text: string) => {
        output.stderr += text;
      });
      // a guest that has ended reads no input: the status says so
      child.stdin.on("error", () => undefined);
      child.stdin.end(input);
      child.once("error", reject);
      child.once("close", (status) => resolve({ status, ...output }));
    });
}

function watch(child: ChildProcess): { ended: Promise<void>; complaint: () => string } {
  let text = "";
  child.stderr?.setEncoding("utf8").on("data", (part: string) => {
    text += part;
  });
  const endWithUs = () => child.kill("SIGKILL");
  process.once("exit", endWithUs);
  const ended = new Promise<void>((resolve) => {
    const done = () => {
      process.removeListener("exit", endWithUs);
      resolve();
    };
    child.once("error", (error) => {
      text += error.message;
      done();
    });
    child.once("exit", done);
  });
  return { ended, complaint: () => text };
}

async function consoleSays(file: string, pattern: RegExp, over: () => boolean): Promise<RegExpExecArray | undefined> {
  for (;;) {
    const found = pattern.exec(await consoleText(file));
    if (found) return found;
    if (over()) return undefined;
    await sleep(200);
  }
}

async function consoleText(file: string): Promise<string> {
  return await readFile(file, "utf8").catch(() => "");
}
