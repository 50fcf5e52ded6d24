// The host of the benchmark: a real sshd on loopback with the real stub behind it, reached as a user's laptop would.
import { execFile } from "node:child_process";
import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { createRemote, type Remote } from "../plugin/compose.js";
import { type Sshd, startSshd } from "../test/ssh/fixtures/sshd.js";

const DIST = join(import.meta.dirname, "..", "dist");

export interface BenchHost {
  sshd: Sshd;
  /** A fresh laptop state each time: nothing is known of the host yet, unless `state` is given again. */
  remote(options?: { port?: number; state?: string }): Promise<{ remote: Remote; state: string }>;
  /** Lets ssh and us know the host's key under another port, for a relay in between. */
  alsoAt(port: number): Promise<void>;
  stubPid(): Promise<number>;
  /**
   * Removes the logs of finished commands and waits for the disk. Ours keeps a log and ssh does not; without this each round
   * would also pay for the memory and the disk that the rounds before it have filled, which a virtual machine feels most.
   */
  dropLogs(): Promise<void>;
  stop(): Promise<void>;
}

export const HOST_NAME = "bench";

export async function startBenchHost(): Promise<BenchHost> {
  const sshd = await startSshd({ name: HOST_NAME, extraConfig: "MaxSessions 100" });
  const directory = await mkdtemp(join(tmpdir(), "ocr-bench-laptop-"));
  const key = sshd.hostKeys[0]?.split(" ").slice(0, 2).join(" ");
  await appendFile(sshd.knownHostsFile, `bench ${key}\n`);
  const opened: Remote[] = [];
  const pid = async () => Number((await readFile(join(sshd.home, ".opencode-remote-ssh/run/stub.pid"), "utf8")).trim());

  const remote = async (options: { port?: number; state?: string } = {}) => {
    const state = options.state ?? (await mkdtemp(join(directory, "state-")));
    const sshConfigFile = join(state, "ssh_config");
    await writeFile(
      sshConfigFile,
      `Host ${HOST_NAME}\n  HostName 127.0.0.1\n  HostKeyAlias bench\n  Port ${options.port ?? sshd.port}\n  User ${sshd.user}\n  IdentityFile ${sshd.identityFile}\n  IdentitiesOnly yes\n  UserKnownHostsFile ${sshd.knownHostsFile}\n`,
    );
    const made = createRemote({
      config: undefined,
      env: { HOME: state, XDG_STATE_HOME: join(state, "state"), USER: sshd.user },
      bundleDirectory: DIST,
      overrides: { sshConfigFile },
    });
    opened.push(made);
    return { remote: made, state };
  };
  return {
    sshd,
    remote,
    alsoAt: (port) => appendFile(sshd.knownHostsFile, `[127.0.0.1]:${port} ${key}\n`),
    stubPid: pid,
    dropLogs: async () => {
      const commands = join(sshd.home, ".opencode-remote-ssh/state/commands");
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
