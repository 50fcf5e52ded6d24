// The composition root of the laptop's side: config -> resolveHost -> transport -> link -> client -> runner,
// with one SSH connection per host and process. The CLI and the OpenCode plugin both start here.
import { createHash } from "node:crypto";
import { homedir } from "node:os";
import { Type } from "typebox";
import { Check } from "typebox/value";
import type { CommandRecord } from "../protocol/command.js";
import { RemoteError } from "../protocol/errors.js";
import { bundledStub } from "./bootstrap/manifest.js";
import { configuredHosts, parseConfig } from "./config/parse-config.js";
import { type ResolveOptions, resolveHost, sshConfigAliases } from "./config/resolve-host.js";
import type { PluginConfig } from "./config/schema.js";
import { type ApproverKey, loadApprover } from "./laptop/approver-key.js";
import { HostsFile, type KnownHost } from "./laptop/hosts-file.js";
import { type StatePaths, statePaths } from "./laptop/state-directory.js";
import type { Seen } from "./runner/enforcement-text.js";
import type { OutputChunk, RunnerProvider } from "./runner/runner.js";
import { createSshRunner } from "./runner/ssh/provider.js";
import { sameWish, USUAL_WISH, type Wishes } from "./runner/ssh/wishes.js";
import { openTransport } from "./ssh/ssh2/open.js";
import type { ResolvedHost, Transport } from "./ssh/transport.js";
import { StubClient } from "./stub-client/client.js";
import { resumeCommand } from "./stub-client/command-stream.js";
import { type HostStatus, readHostStatus } from "./stub-client/host-status.js";
import { untilSettled } from "./stub-client/settled.js";
import { type LocalPort, openLocalPort } from "./tunnel/local-port.js";
import { findRunning } from "./tunnel/running-link.js";
import { SshLink } from "./tunnel/ssh-link.js";
import { type StopOptions, stopStub } from "./tunnel/stop-stub.js";

export type { HostStatus };

export interface RemoteOptions {
  /** The options of the plugin's entry in opencode.json, as written; undefined: none. Wrong ones throw `config_invalid`. */
  config: unknown;
  /** Where these options stand; for the hint when they are wrong. */
  configFile?: string;
  /** HOME, XDG_*, USER, SSH_AUTH_SOCK are read from it; never the process's own. */
  env: Record<string, string | undefined>;
  /** The directory that holds `stub/manifest.json` (the package's `dist`). */
  bundleDirectory: string;
  /** -F, -i and -p of the command line: they win over config and ssh_config. */
  overrides?: { sshConfigFile?: string; identityFile?: string; port?: number };
  /** For people: a state file was set aside, and the like. */
  onNotice?: (text: string) => void;
  /** Asks a person for a key's passphrase; only the CLI on a terminal has one. */
  askPassphrase?: (identityFile: string) => Promise<string | undefined>;
}

export interface LastWordsOptions {
  /** Bytes that were seen already. */
  from: { stdout: number; stderr: number };
  onOutput: (chunk: OutputChunk) => void | Promise<void>;
  signal: AbortSignal;
}

export interface HostSummary {
  /** What the user calls it; to be given to `resolve`, `link` and as `RunnerDestination.host`. */
  name: string;
  aliases: string[];
  labels: string[];
  /** The directory that its configuration names. */
  directory: string | undefined;
  source: "config" | "ssh_config";
}

export interface Remote {
  readonly runner: RunnerProvider;
  /** Those of the config first, then those of ssh_config; opens no connection. */
  hosts(): Promise<HostSummary[]>;
  /** A name, an alias, or `user@host[:port]`. Throws `host_unknown`, `identity_unreadable`… without a connection. */
  resolve(name: string): Promise<ResolvedHost>;
  /** The one link of this host in this process; lazy: nothing connects before its first use. */
  link(name: string): Promise<SshLink>;
  /** The typed client over that link. */
  client(name: string): Promise<StubClient>;
  /** A port on this machine's loopback that leads to the stub, in the configured range; for curl. */
  localPort(name: string): Promise<LocalPort>;
  /** After a cancel: waits until nothing of the command is left, and gives what it printed meanwhile. */
  lastWords(name: string, commandID: string, options: LastWordsOptions): Promise<CommandRecord>;
  /** This installation's approver: the key's id. Makes the key at the first call. */
  approverID(): Promise<string>;
  /** `wrk_…`, the same for the same installation, host and directory. */
  workspaceID(host: string, directory: string | null): Promise<string>;
  /** The configuration, checked. */
  config(): Promise<PluginConfig>;
  /** Where this installation keeps its state. */
  readonly state: StatePaths;
  /** The directory last worked in on this host, as the user named it. */
  lastDirectory(name: string): Promise<string | undefined>;
  rememberDirectory(name: string, directory: string): Promise<void>;
  /** How commands are held there now; gives how they were when it was last seen. */
  enforcementSeen(name: string, now: Seen): Promise<Seen | undefined>;
  /** What runs on a host; undefined where no stub does. Changes nothing there. */
  status(name: string, signal?: AbortSignal): Promise<HostStatus | undefined>;
  /** What was remembered of the hosts that were used. */
  known(): Promise<Record<string, KnownHost>>;
  /** Ends the stub of a host; see `stopStub`. */
  stop(name: string, options: StopOptions): Promise<number | null>;
  /** Ends the connections; commands on the hosts go on. Idempotent. */
  close(): Promise<void>;
}

/** Set by `open` for the processes below it, so that the plugin there reaches the host as this command line did. */
export const OVERRIDES_VARIABLE = "OPENCODE_REMOTE_SSH_OVERRIDES";

export function createRemote(options: RemoteOptions): Remote {
  return new ComposedRemote(options);
}

interface Connected {
  host: ResolvedHost;
  link: SshLink;
  client: StubClient;
}

class ComposedRemote implements Remote {
  readonly runner: RunnerProvider;
  readonly state: StatePaths;
  readonly #options: RemoteOptions;
  readonly #home: string;
  readonly #hostsFile: HostsFile;
  readonly #connected = new Map<string, Connected>();
  #parsed: PluginConfig | undefined;
  #key: Promise<ApproverKey> | undefined;

  constructor(options: RemoteOptions) {
    this.#options = options;
    this.#home = options.env.HOME ?? homedir();
    this.state = statePaths(options.env, this.#home);
    this.#hostsFile = new HostsFile(this.state, options.onNotice);
    this.runner = createSshRunner({
      validateHost: async (name) => {
        await this.resolve(name);
      },
      open: async (name) => {
        const { client, host } = await this.#connect(name);
        const { env, init, readRoots, enforcement, network } = host;
        const wishes = rememberedWishes(this.#hostsFile, host.name);
        return { client, env, init, readRoots, wish: { enforcement, network }, wishes };
      },
    });
  }

  async config(): Promise<PluginConfig> {
    return this.#config();
  }

  async hosts(): Promise<HostSummary[]> {
    const configured = configuredHosts(this.#config()).map(({ host }): HostSummary => {
      const { name, aliases, labels, directory } = host;
      return { name, aliases, labels, directory, source: "config" };
    });
    const taken = new Set(configured.flatMap(({ name, aliases }) => [name, ...aliases]));
    const further = sshConfigAliases(this.#resolveOptions()).filter((alias) => !taken.has(alias));
    return [
      ...configured,
      ...further.map((name): HostSummary => {
        return { name, aliases: [], labels: [], directory: undefined, source: "ssh_config" };
      }),
    ];
  }

  async resolve(name: string): Promise<ResolvedHost> {
    return resolveHost(name, this.#resolveOptions());
  }

  async link(name: string): Promise<SshLink> {
    return (await this.#connect(name)).link;
  }

  async client(name: string): Promise<StubClient> {
    return (await this.#connect(name)).client;
  }

  async localPort(name: string): Promise<LocalPort> {
    return openLocalPort(await this.link(name), this.#config().tunnel.localPortRange);
  }

  async lastWords(name: string, commandID: string, options: LastWordsOptions): Promise<CommandRecord> {
    const client = await this.client(name);
    const record = await untilSettled(client, commandID, options.signal);
    await resumeCommand(client, commandID, options);
    return record;
  }

  async approverID(): Promise<string> {
    return (await this.#approver()).keyID;
  }

  async workspaceID(host: string, directory: string | null): Promise<string> {
    const { name } = await this.resolve(host);
    const text = [await this.approverID(), name, directory ?? ""].join("\0");
    return `wrk_${createHash("sha256").update(text).digest("hex")}`;
  }

  async lastDirectory(name: string): Promise<string | undefined> {
    return (await this.#hostsFile.get((await this.resolve(name)).name))?.lastDirectory;
  }

  async rememberDirectory(name: string, directory: string): Promise<void> {
    const host = await this.resolve(name);
    await this.#hostsFile.update(host.name, (known) => ({ ...known, lastDirectory: directory }));
  }

  async enforcementSeen(name: string, now: Seen): Promise<Seen | undefined> {
    const host = await this.resolve(name);
    const before = (await this.#hostsFile.get(host.name))?.enforcement;
    if (before?.level !== now.level || before.landlockAbi !== now.landlockAbi) {
      await this.#hostsFile.update(host.name, (known) => ({ ...known, enforcement: now }));
    }
    return before;
  }

  async known(): Promise<Record<string, KnownHost>> {
    return await this.#hostsFile.all();
  }

  async status(name: string, signal?: AbortSignal): Promise<HostStatus | undefined> {
    return await this.#onTransport(name, signal, async (transport, host) => {
      const link = await findRunning({
        host: host.name,
        transport,
        installRoot: host.installRoot,
        stub: bundledStub(this.#options.bundleDirectory),
        timeoutMs: this.#config().tunnel.healthTimeoutMs,
        ...(signal === undefined ? {} : { signal }),
      });
      if (link === undefined) return undefined;
      const client = new StubClient(link, await this.#approver());
      try {
        return await readHostStatus(client, signal);
      } finally {
        await client.close();
        await link.close();
      }
    });
  }

  async stop(name: string, options: StopOptions): Promise<number | null> {
    const { healthTimeoutMs } = this.#config().tunnel;
    const stub = bundledStub(this.#options.bundleDirectory);
    return await this.#onTransport(name, options.signal, (transport, host) =>
      stopStub(transport, host.installRoot, stub, healthTimeoutMs, options),
    );
  }

  /** A connection for one look, beside the link. */
  async #onTransport<T>(
    name: string,
    signal: AbortSignal | undefined,
    work: (transport: Transport, host: ResolvedHost) => Promise<T>,
  ): Promise<T> {
    const { connectTimeoutMs, keepaliveMs } = this.#config().tunnel;
    const { askPassphrase } = this.#options;
    const host = await this.resolve(name);
    const transport = await openTransport(host, { signal, connectTimeoutMs, keepaliveMs, askPassphrase });
    try {
      return await work(transport, host);
    } finally {
      await transport.close();
    }
  }

  async close(): Promise<void> {
    const all = [...this.#connected.values()];
    this.#connected.clear();
    await Promise.all(
      all.map(async ({ client, link }) => {
        await client.close();
        await link.close();
      }),
    );
  }

  #config(): PluginConfig {
    const { config, configFile } = this.#options;
    this.#parsed ??= parseConfig(config, configFile);
    return this.#parsed;
  }

  #resolveOptions(): ResolveOptions {
    const { sshConfigFile, identityFile, port } = {
      ...inherited(this.#options.env),
      ...given(this.#options.overrides),
    };
    return {
      config: this.#config(),
      home: this.#home,
      env: this.#options.env,
      overrides: { identityFile, port },
      ...(sshConfigFile === undefined ? {} : { sshConfigFile }),
    };
  }

  #approver(): Promise<ApproverKey> {
    this.#key ??= loadApprover(this.state, this.#options.onNotice).catch((error) => {
      this.#key = undefined;
      throw error;
    });
    return this.#key;
  }

  /** Opens no connection yet. */
  async #connect(name: string): Promise<Connected> {
    const host = await this.resolve(name);
    const key = await this.#approver();
    const existing = this.#connected.get(host.name);
    if (existing !== undefined) return existing;
    const { connectTimeoutMs, keepaliveMs, healthTimeoutMs } = this.#config().tunnel;
    const { askPassphrase, bundleDirectory } = this.#options;
    const link = new SshLink({
      host,
      open: openTransport,
      connectTimeoutMs,
      keepaliveMs,
      healthTimeoutMs,
      hosts: this.#hostsFile,
      stub: () => bundledStub(bundleDirectory),
      ...(askPassphrase === undefined ? {} : { askPassphrase }),
    });
    const connected = { host, link, client: new StubClient(link, key) };
    this.#connected.set(host.name, connected);
    return connected;
  }
}

function rememberedWishes(file: HostsFile, host: string): Wishes {
  return {
    told: async (workspaceID) => (await file.get(host))?.wishes?.[workspaceID],
    remember: async (workspaceID, wish) => {
      const known = (await file.get(host))?.wishes?.[workspaceID];
      if (sameWish(known ?? USUAL_WISH, wish)) return;
      await file.update(host, (before) => {
        const { [workspaceID]: _, ...others } = before.wishes ?? {};
        return { ...before, wishes: sameWish(wish, USUAL_WISH) ? others : { ...others, [workspaceID]: wish } };
      });
    },
  };
}

type Overrides = NonNullable<RemoteOptions["overrides"]>;

const InheritedOverrides = Type.Object({
  sshConfigFile: Type.Optional(Type.String()),
  identityFile: Type.Optional(Type.String()),
  port: Type.Optional(Type.Integer()),
});

function inherited(env: RemoteOptions["env"]): Overrides {
  const text = env[OVERRIDES_VARIABLE];
  if (text === undefined || text === "") return {};
  const value: unknown = JSON.parse(text);
  if (Check(InheritedOverrides, value)) return value;
  throw new RemoteError("config_invalid", `${OVERRIDES_VARIABLE} in the environment has another shape`);
}

function given(overrides: Overrides = {}): Overrides {
  return Object.fromEntries(Object.entries(overrides).filter(([, value]) => value !== undefined));
}
