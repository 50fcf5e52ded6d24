// The host of the benchmark: a real sshd with the real stub behind it, on loopback or far away, reached as a user's laptop would.
import { execFile } from "node:child_process";
import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { createRemote, type Remote } from "../plugin/compose.js";
import { INSTALL } from "../protocol/install.js";
import { type Sshd, type SshdOptions, startSshd } from "../test/ssh/fixtures/sshd.js";
import type { OpenSshTarget } from "./openssh.js";

const DIST = join(import.meta.dirname, "..", "dist");

export interface BenchHost {
  sshd: Sshd;
  /** Where the laptop connects to, for ssh too. */
  target: OpenSshTarget;
  /** Install root of the stub. */
  root: string;
  /** The directory that commands run in. */
  work: string;
  /** A fresh laptop state each time: nothing is known of the host yet, unless `state` is given again. */
  remote(options?: { state?: string }): Promise<{ remote: Remote; state: string }>;
  stubPid(): Promise<number>;
  /**
   * Removes the logs of finished commands and waits for the disk. Ours keeps a log and ssh does not; without this each round
   * would also pay for the memory and the disk that the rounds before it have filled, which a virtual machine feels most.
   */
  dropLogs(): Promise<void>;
  stop(): Promise<void>;
}

export const HOST_NAME = "bench";

export interface BenchHostOptions {
  network?: SshdOptions["network"];
  /** A relay in between: gives the port to connect to instead of the host's. */
  relay?: (port: number) => Promise<number>;
}

export async function startBenchHost(options: BenchHostOptions = {}): Promise<BenchHost> {
  const sshd = await startSshd({ name: HOST_NAME, extraConfig: "MaxSessions 100", network: options.network });
  const directory = await mkdtemp(join(tmpdir(), "ocr-bench-laptop-"));
  const root = join(sshd.home, ".opencode-remote-ssh");
  const work = join(sshd.directory, "work");
  await mkdir(work);
  const key = sshd.hostKeys[0]?.split(" ").slice(0, 2).join(" ");
  await appendFile(sshd.knownHostsFile, `bench ${key}\n`);
  const port = (await options.relay?.(sshd.port)) ?? sshd.port;
  const { host, user, identityFile, knownHostsFile } = sshd;
  const opened: Remote[] = [];
  const pid = async () => Number((await readFile(join(root, INSTALL.pid), "utf8")).trim());

  const remote = async ({ state: known }: { state?: string } = {}) => {
    const state = known ?? (await mkdtemp(join(directory, "state-")));
    const sshConfigFile = join(state, "ssh_config");
    await writeFile(
      sshConfigFile,
      `Host ${HOST_NAME}\n  HostName ${host}\n  HostKeyAlias bench\n  Port ${port}\n  User ${user}\n  IdentityFile ${identityFile}\n  IdentitiesOnly yes\n  UserKnownHostsFile ${knownHostsFile}\n`,
    );
    const made = createRemote({
      config: undefined,
      env: { HOME: state, XDG_STATE_HOME: join(state, "state"), USER: user },
      bundleDirectory: DIST,
      overrides: { sshConfigFile },
    });
    opened.push(made);
    return { remote: made, state };
  };
  return {
    sshd,
    target: { host, port, user, identityFile, knownHostsFile },
    root,
    work,
    remote,
    stubPid: pid,
    dropLogs: async () => {
      const commands = join(root, "state/commands");
      for (const name of await readdir(commands)) if (name.endsWith(".stdout")) await rm(join(commands, name));
      await promisify(execFile)("sync");
    },
    stop: async () => {
      for (const each of opened) await each.close();
      process.kill(await pid(), "SIGTERM");
      await rm(directory, { recursive: true, force: true });
      await sshd.stop();
    },
  };
}
