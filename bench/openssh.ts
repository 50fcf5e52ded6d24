// What a user would use instead: ssh once per command, ssh over a ControlMaster, and the floor: a line into one open shell.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface OpenSshTarget {
  host: string;
  port: number;
  user: string;
  identityFile: string;
  knownHostsFile: string;
}

export interface OpenShell {
  /** Writes a line; resolves at the next output. */
  line(text: string): Promise<void>;
  close(): void;
}

export class OpenSsh {
  readonly #arguments: string[];
  readonly #directory: string;
  #master: ChildProcess | undefined;

  private constructor(target: OpenSshTarget, directory: string) {
    this.#directory = directory;
    this.#arguments = [
      ...["-F", "/dev/null", "-i", target.identityFile, "-p", String(target.port)],
      ...["-o", "IdentitiesOnly=yes", "-o", `UserKnownHostsFile=${target.knownHostsFile}`],
      ...["-o", "HostKeyAlias=bench", "-o", "LogLevel=ERROR", "-o", "BatchMode=yes"],
      `${target.user}@${target.host}`,
    ];
  }

  /** `knownHostsFile` must name the host's key as `bench`. */
  static async start(target: OpenSshTarget): Promise<OpenSsh> {
    const ssh = new OpenSsh(target, await mkdtemp(join(tmpdir(), "ocr-bench-")));
    ssh.#master = spawn("ssh", [...ssh.#control(), "-M", "-N", ...ssh.#arguments], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    for (let attempt = 0; attempt < 100; attempt++) {
      if ((await ssh.#run([...ssh.#control(), "-O", "check"], "")) === 0) return ssh;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error("no ControlMaster");
  }

  #control(): string[] {
    return ["-S", join(this.#directory, "control")];
  }

  async #run(options: string[], command: string): Promise<number> {
    const child = spawn("ssh", [...options, ...this.#arguments, ...(command === "" ? [] : [command])], {
      stdio: ["ignore", "ignore", "ignore"],
    });
    const [code] = (await once(child, "close")) as [number | null];
    return code ?? -1;
  }

  /** A new connection for one command. */
  async fresh(command: string): Promise<void> {
    const code = await this.#run(["-S", "none"], command);
    if (code !== 0) throw new Error(`ssh ended with ${code}`);
  }

  /** A channel on the shared connection for one command. */
  async shared(command: string): Promise<void> {
    const code = await this.#run(this.#control(), command);
    if (code !== 0) throw new Error(`ssh ended with ${code}`);
  }

  /** Reads all a command prints over the shared connection; bytes. */
  async bytes(command: string): Promise<number> {
    const child = spawn("ssh", [...this.#control(), ...this.#arguments, command], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let bytes = 0;
    child.stdout.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
    });
    await once(child, "close");
    return bytes;
  }

  /** `ssh host sh` on a connection of its own, kept open. */
  async shell(): Promise<OpenShell> {
    const child = spawn("ssh", ["-S", "none", ...this.#arguments, "sh"], { stdio: ["pipe", "pipe", "inherit"] });
    let arrived: (() => void) | undefined;
    child.stdout.on("data", () => arrived?.());
    const line = (text: string) =>
      new Promise<void>((resolve) => {
        arrived = resolve;
        child.stdin.write(`${text}\n`);
      });
    await line("echo");
    return { line, close: () => child.stdin.end() };
  }

  async stop(): Promise<void> {
    this.#master?.kill();
    await rm(this.#directory, { recursive: true, force: true });
  }
}
