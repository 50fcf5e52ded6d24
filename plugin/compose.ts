// The composition root of the laptop's side: config -> resolveHost -> transport -> link -> client -> runner,
// with one SSH connection per host and process. The CLI and the OpenCode plugin both start here.
import type { RunnerProvider } from "./runner/runner.js";
import type { ResolvedHost } from "./ssh/transport.js";
import type { StubClient } from "./stub-client/client.js";
import type { StubLink } from "./tunnel/link.js";

export interface RemoteOptions {
  /** The options of the plugin's entry in opencode.json, as written; undefined: none. Wrong ones throw `config_invalid`. */
  config: unknown;
  /** HOME, XDG_*, USER, SSH_AUTH_SOCK are read from it; never the process's own. */
  env: Record<string, string | undefined>;
  /** The directory that holds `stub/manifest.json` (the package's `dist`). */
  bundleDirectory: string;
  /** -F, -i and -p of the command line: they win over config and ssh_config. */
  overrides?: { sshConfigFile?: string; identityFile?: string; port?: number };
  /** Asks a person for a key's passphrase; only the CLI on a terminal has one. */
  askPassphrase?: (identityFile: string) => Promise<string | undefined>;
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
  link(name: string): Promise<StubLink>;
  /** The typed client over that link. */
  client(name: string): Promise<StubClient>;
  /** This installation's approver: the key's id. Makes the key at the first call. */
  approverID(): Promise<string>;
  /** `wrk_…`, the same for the same installation, host and directory. */
  workspaceID(host: string, directory: string | null): Promise<string>;
  /** Ends the connections; commands on the hosts go on. Idempotent. */
  close(): Promise<void>;
}

export type CreateRemote = (options: RemoteOptions) => Remote;
