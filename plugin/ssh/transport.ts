// The small seam below the connection: what any SSH implementation must give us.
// ssh2 now; the system's ssh with a ControlMaster of ours later (FIDO, Kerberos, some algorithms).

import type { Duplex, Readable, Writable } from "node:stream";
import type { EnforcementWish } from "../../protocol/workspace.js";

export interface ExecChannel {
  stdin: Writable;
  stdout: Readable;
  stderr: Readable;
  /** Resolves when the channel has closed; `code` null where a signal ended it or the connection was lost. */
  closed: Promise<{ code: number | null; signal: string | null }>;
  close(): void;
}

export interface Transport {
  /** `user@host:port` for messages. */
  readonly destination: string;
  /**
   * Runs text by the user's login shell on the host: keep it to words that every shell reads alike, for example `sh`.
   * Waits while the host allows no more sessions (MaxSessions). The signal ends the channel, too, after it has opened.
   * Read stdout and stderr, or `resume()` them: unread output holds `closed` back.
   */
  exec(command: string, signal?: AbortSignal): Promise<ExecChannel>;
  /** Unix socket on the host; the signal is for the opening only. Refusals throw RemoteError `channel_refused` with `details {reason}`. */
  openSocket(path: string, signal?: AbortSignal): Promise<Duplex>;
  /** TCP on the host's loopback. */
  openTcp(port: number, signal?: AbortSignal): Promise<Duplex>;
  /** Called once when the connection is gone, with the reason; undefined after our own close. */
  onClose(listener: (reason: Error | undefined) => void): void;
  close(): Promise<void>;
}

export type OpenTransport = (host: ResolvedHost, options: OpenOptions) => Promise<Transport>;

export interface OpenOptions {
  signal?: AbortSignal;
  connectTimeoutMs: number;
  keepaliveMs: number;
  /** Asks a person for a key's passphrase; only the CLI on a terminal has one. Undefined: the user gave up. */
  askPassphrase?: (identityFile: string) => Promise<string | undefined>;
}

/** All that is needed to open a connection; config, ssh_config and the command line are already merged. */
export interface ResolvedHost {
  /** The name the user calls it. */
  name: string;
  host: string;
  port: number;
  user: string;
  /** Absolute paths. Explicit ones must exist; the default ones are those that do. */
  identityFiles: string[];
  identitiesOnly: boolean;
  /** Socket of the agent; undefined: none. */
  agent: string | undefined;
  /** Name to look up in known_hosts instead of `host` (HostKeyAlias). */
  hostKeyAlias: string | undefined;
  knownHostsFiles: string[];
  /** From first to last; each is reached through the one before it. */
  jumps: ResolvedHost[];
  /** A configured name close to one that nothing configures; for the hint when it does not resolve. */
  didYouMean?: string;
  /** On the host; `~/…` allowed. */
  installRoot: string;
  directory: string | undefined;
  readRoots: string[];
  env: Record<string, string>;
  init: string | undefined;
  /** What commands there are to be held to. */
  enforcement: EnforcementWish;
  network: boolean;
}
