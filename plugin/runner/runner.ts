// The seam of the laptop's side: tools, gateway and CLI program against this, never against SSH or the stub.
// Two implementations: `ssh/` (a host through its stub) and `local/` (this machine; tests and the reference).
import type { Blocked, CommandState } from "../../protocol/command.js";
import type { FileKind, FileView } from "../../protocol/file.js";
import type { Enforcement } from "../../protocol/health.js";
import type { AskedPath, AskPermission, Reply } from "../../protocol/permission.js";
import type { FindAnswer, GlobAnswer, TextMatch } from "../../protocol/search.js";
import type { ChangeOf, RevertAnswer, RevertRequest } from "../../protocol/undo.js";
import type { VcsFileDiff, VcsFileStatus, VcsInfo, VcsMode } from "../../protocol/vcs.js";
import type { Access, EnforcementWish } from "../../protocol/workspace.js";

/** What is really there. What is not yet built is false, never a stub that answers. */
export interface RunnerCapabilities {
  commands: boolean;
  cancellation: boolean;
  files: boolean;
  search: boolean;
  approvals: boolean;
  pty: boolean;
  vcs: boolean;
  ports: boolean;
  artifacts: boolean;
  snapshots: boolean;
  undo: boolean;
}

/** Where a session works. Holds no secrets: it is persisted. */
export interface RunnerDestination {
  /** Name of the host, as the user calls it. */
  host: string;
  /** Directory on the host that the user named: read and write below it are approved. Null: everything asks. */
  directory: string | null;
  /** Further directories of the host, approved for reading. */
  readRoots?: string[];
  /** Stable workspace id (`wrk_…`); the same id finds the same workspace again. */
  workspaceID: string;
  /** What its commands are to be held to; default: as the host's configuration says. */
  enforcement?: EnforcementWish;
  network?: boolean;
  /** Label of the workspace for people. */
  name?: string;
}

export interface RunnerProvider {
  readonly id: string;
  readonly capabilities: RunnerCapabilities;
  /** Guidance shown when the provider cannot be used yet; null when it can. Never holds secrets. */
  setupHint(): string | null;
  /** Throws RemoteError (`host_unknown`, `config_invalid`…) without opening a connection. */
  validateDestination(destination: RunnerDestination): Promise<void>;
  /** Opens no connection; the first use of the session does. */
  createSession(destination: RunnerDestination, options?: RunnerSessionOptions): Promise<RunnerSession>;
  resumeSession(state: RunnerSessionState, options?: RunnerSessionOptions): Promise<RunnerSession>;
}

export interface RunnerSessionState {
  providerID: string;
  destination: RunnerDestination;
}

/** One pending question of the host. */
export interface RunnerAsk {
  permissionID: string;
  permission: AskPermission;
  /** What `always` would approve: `DIRECTORY/*`, or a file alone; an older host does not say. */
  patterns?: string[];
  /** Canonical real path on the host; the first of `paths`. */
  path: string;
  access: Access;
  /** All that the answer is for. */
  paths: AskedPath[];
  /** `unconfined`: the whole command. */
  command?: string;
  reason: string;
  /** OpenCode session that caused it, where known. */
  sessionID?: string;
}

export interface RunnerReply {
  reply: Reply;
  message?: string;
}

export type OnAsk = (ask: RunnerAsk, signal: AbortSignal) => Promise<RunnerReply>;

export type ConnectionState = "idle" | "connecting" | "bootstrapping" | "ready" | "reconnecting" | "failed";

export interface RunnerProgress {
  /** For people, one line: "uploading the stub 12.1/32.3 MB". */
  text: string;
  state: ConnectionState;
}

export interface RunnerSessionOptions {
  /** Answers asks where the single call gives no `onAsk` of its own. Without any: `permission_required` is thrown. */
  onAsk?: OnAsk;
  onProgress?: (progress: RunnerProgress) => void;
}

/** Options of every operation that can ask. */
export interface OperationOptions {
  signal?: AbortSignal;
  onAsk?: OnAsk;
  /** OpenCode's session id (`ses_…`), for asks and the audit. */
  sessionID?: string;
  /** What is changed for it is kept, so that `revert` can put it back. */
  change?: ChangeOf;
}

export interface RunCommandRequest extends OperationOptions {
  /** `cmd_…`; the same id again is the same command, never a second run. */
  commandID: string;
  /** Text for the host's shell, or a program with its arguments. Exactly one of the two. */
  command?: string;
  program?: string;
  args?: string[];
  /** On the host; relative to the session's directory. */
  cwd?: string;
  env?: Record<string, string>;
  timeoutMs?: number;
  /** Nothing is to hold it to what was approved, for this one run: asked each time. A local session holds nothing anyway. */
  unconfined?: boolean;
  /**
   * Its stdin, which is empty without. First read when the command runs, at the command's pace; ended behind the last chunk. A
   * command that ends, or reads no more, ends the reading. Where the input itself fails the command is cancelled, and that
   * failure thrown: an end would tell it that this was all. Chunks are not changed afterwards.
   */
  input?: AsyncIterable<Uint8Array>;
  /** Ends our side only, with the signal's reason: the command goes on, its output waits. */
  detach?: AbortSignal;
  /** Bytes as they come, in order per stream. Returning a promise slows the reading down, never the command. */
  onOutput?: (chunk: OutputChunk) => void | Promise<void>;
}

export interface FollowCommandOptions extends Pick<RunCommandRequest, "onOutput" | "signal"> {
  /** Bytes that were seen already. Default: none. */
  from?: { stdout: number; stderr: number };
}

export interface OutputChunk {
  stream: "stdout" | "stderr";
  /** Of the first byte, in its stream. */
  offset: number;
  /** Valid during the call only: copy it to keep it. */
  data: Uint8Array;
}

export interface CommandResult {
  commandID: string;
  state: CommandState;
  /** Null where a signal ended it. */
  exit: number | null;
  signal: string | null;
  timedOut: boolean;
  aborted: boolean;
  /** Milliseconds since the epoch, by the host's clock. */
  startedAt: number;
  endedAt: number;
  /** Bytes printed. */
  stdoutBytes: number;
  stderrBytes: number;
  /** Of these, bytes that `onOutput` was never given, because the host's log had dropped them before they were read. */
  missedBytes: number;
  /** Processes that were still alive when the shell had ended. */
  pending: number;
  /** After a kill: null while unconfirmed, else the pids that could not be ended. */
  survivors: number[] | null;
  /** Aborted while the host could not be told: the command may still run there until the connection is back. */
  cancelUnconfirmed?: true;
  enforcement: Enforcement;
  /** What it was refused while it ran. */
  blocked?: Blocked[];
  /** It failed, and was not shown these paths, which are named in it and there on the host. */
  hidden?: string[];
  /** It failed, and these setuid programs in it gained no rights. */
  setuid?: string[];
}

export interface RunnerStat {
  path: string;
  type: FileKind;
  size: number;
  mode: number;
  mtime: number;
  tag?: string;
}

export interface RunnerEntry {
  name: string;
  path: string;
  type: FileKind;
  ignored: boolean;
}

export interface ReadFileResult {
  path: string;
  data: Uint8Array;
  /** Size of the whole file, bytes. */
  size: number;
  /** Opaque version tag for `ifMatch`. */
  tag: string;
}

export interface WriteFileOptions extends OperationOptions {
  /** Tag of the last read, or `absent`: another version there throws `conflict`. */
  ifMatch?: string;
  /** Make missing parent directories; without it a missing parent is ENOENT. */
  parents?: boolean;
}

export interface WrittenFile {
  path: string;
  tag: string;
  size: number;
  existed: boolean;
}

export type BatchStep =
  | { op: "stat"; path: string }
  | { op: "read"; path: string; maxBytes?: number }
  | { op: "write"; path: string; data: Uint8Array; ifMatch?: string; parents?: boolean }
  | { op: "remove"; path: string; ifMatch?: string }
  | { op: "move"; from: string; to: string; parents?: boolean };

export type BatchResult =
  | { ok: true; stat?: RunnerStat; data?: Uint8Array; tag?: string; written?: WrittenFile }
  | { ok: false; error: Error & { code: string } };

export interface OpenPtyRequest extends OperationOptions {
  /** A program; default: the user's login shell. */
  command?: string;
  args?: string[];
  /** On the host; relative to the session's directory. */
  cwd?: string;
  env?: Record<string, string>;
  title?: string;
  /** Default: 80 × 24. */
  size?: { cols: number; rows: number };
}

/** A terminal that outlives connections. It ends with `close`, with its program, or with the session. */
export interface RunnerPty {
  readonly id: string;
  /** False: not taken, as too much waits for a connection that is away. What was on its way when one broke is lost. */
  write(text: string): boolean;
  resize(size: { cols: number; rows: number }): Promise<void>;
  /** Everything once and in order; what came before the first listener is held for it. `lost`: characters that are gone before `text`. */
  onData(listener: (text: string, lost: number) => void): { [Symbol.dispose](): void };
  /** 128 and the signal's number where a signal ended it; null where nobody knows (the stub was restarted, or it was closed). */
  onExit(listener: (exitCode: number | null) => void): { [Symbol.dispose](): void };
  /** Ends all its processes; resolves when they are gone. Idempotent. */
  close(): Promise<void>;
}

/** All of it is empty (branches null) where the directory is in no repository. Throws `git_missing`, `git_refused`, what asking throws. */
export interface RunnerVcs {
  info(options?: OperationOptions): Promise<VcsInfo>;
  /** Against HEAD; names are relative to the top of the repository. */
  status(options?: OperationOptions): Promise<VcsFileStatus[]>;
  /** `git`: against HEAD; `branch`: against the merge base with the default branch. `context`: lines, default all. */
  diff(mode: VcsMode, options?: OperationOptions & { context?: number }): Promise<VcsFileDiff[]>;
  /** Against HEAD, as `git diff` prints it, new files behind it. */
  raw(options?: OperationOptions): Promise<string>;
}

/**
 * Work on one destination. Errors carry node codes (ENOENT, EACCES…) or those of `protocol/errors.ts` in `code`.
 * Paths are the host's: absolute, `~/…`, or relative to the destination's directory.
 */
export interface RunnerSession {
  readonly state: RunnerSessionState;
  readonly capabilities: RunnerCapabilities;
  readonly connection: ConnectionState;

  /** Facts of the host, in one round trip; connects where needed. */
  describe(signal?: AbortSignal): Promise<HostFacts>;

  runCommand(request: RunCommandRequest): Promise<CommandResult>;
  /** True if it was running. */
  cancelCommand(commandID: string, signal?: AbortSignal): Promise<boolean>;
  /** A command as it is now, whoever started it; undefined where the host knows none. */
  findCommand(commandID: string, signal?: AbortSignal): Promise<CommandResult | undefined>;
  /**
   * Asks for what an ended command was refused and could not be given while it ran. What is given is what the same command
   * reaches when it is run again; empty where there was nothing to ask. Throws `permission_rejected`.
   */
  askForBlocked(commandID: string, options?: OperationOptions): Promise<AskedPath[]>;
  /** Output and end of a command that is there, from these bytes on; nothing is started. Throws `command_unknown`. */
  followCommand(commandID: string, options: FollowCommandOptions): Promise<CommandResult>;

  readFile(path: string, options?: OperationOptions & { offset?: number; length?: number }): Promise<ReadFileResult>;
  writeFile(path: string, data: Uint8Array, options?: WriteFileOptions): Promise<WrittenFile>;
  stat(path: string, options?: OperationOptions): Promise<RunnerStat>;
  readdir(path: string, options?: OperationOptions): Promise<RunnerEntry[]>;
  /** False for ENOENT and ENOTDIR; every other failure throws. */
  exists(path: string, options?: OperationOptions): Promise<boolean>;
  mkdir(path: string, options?: OperationOptions & { parents?: boolean }): Promise<void>;
  move(
    from: string,
    to: string,
    options?: OperationOptions & { overwrite?: boolean; parents?: boolean },
  ): Promise<void>;
  remove(path: string, options?: OperationOptions & { recursive?: boolean }): Promise<void>;
  /** What the read tool shows: `offset` is the first line, from 1. */
  view(path: string, options?: OperationOptions & { offset?: number; limit?: number }): Promise<FileView>;

  glob(pattern: string, options?: OperationOptions & { path?: string; limit?: number }): Promise<GlobAnswer>;
  grep(
    pattern: string,
    options?: OperationOptions & { path?: string; include?: string; limit?: number },
  ): Promise<FindAnswer>;
  /** The first lines that match a regular expression, as ripgrep tells them; paths relative to the session's directory. `limit`: default 10. */
  findText(pattern: string, options?: OperationOptions & { limit?: number }): Promise<TextMatch[]>;
  /**
   * Names that are like `query`, best first, relative to the session's directory; a directory's ends with a slash. Files and
   * directories unless `type` says otherwise. `limit`: default 10.
   */
  findFiles(
    query: string,
    options?: OperationOptions & { type?: "file" | "directory" | undefined; limit?: number },
  ): Promise<string[]>;
  /** In order, one round trip. With `stop`, steps after a failed one are not done and reported as `aborted`. */
  batch(steps: BatchStep[], options?: OperationOptions & { stop?: boolean }): Promise<BatchResult[]>;

  /**
   * Puts back what file operations changed for this message of the session (`change`) and the ones behind it, newest first; what
   * was put back before it comes again. Null: all of it comes again. What somebody else changed since is left, and named.
   */
  revert(sessionID: string, point: RevertPoint | null, signal?: AbortSignal): Promise<Reverted>;
  /** What is kept for `revert` goes: what stands reverted, these messages, or all of the session. */
  forgetChanges(sessionID: string, what: ForgottenChanges, signal?: AbortSignal): Promise<void>;

  /** A terminal; throws `unsupported` while the capability is false, and what asking throws. */
  openPty(request?: OpenPtyRequest): Promise<RunnerPty>;
  /** Version control of the session's directory; its calls throw `unsupported` while the capability is false. */
  readonly vcs: RunnerVcs;

  /** These two throw `unsupported` while the capability is false. */
  exposePort(): Promise<never>;
  snapshot(): Promise<never>;

  /** Ends our side; running commands go on. Idempotent. */
  close(): Promise<void>;
}

export type RevertPoint = RevertRequest;
export type Reverted = RevertAnswer;

export interface ForgottenChanges {
  reverted?: boolean;
  messageIDs?: string[];
  all?: boolean;
}

export interface HostFacts {
  hostname: string;
  platform: string;
  arch: string;
  /** Canonical directory of the destination; null where it has none. */
  directory: string | null;
  home: string;
  user: string;
  enforcement: Enforcement;
  stub: { pid: number; startedAt: number; instanceID: string; version: string } | null;
  /** Text files of the project for the model, nearest first; only AGENTS.md or CLAUDE.md in the directory for now. */
  instructions: { path: string; text: string }[];
}
