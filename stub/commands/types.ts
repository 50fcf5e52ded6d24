// What the rest of the stub knows of commands: how one is asked for, and what may be done with it.
// Routes and sessions program against these; `service.ts` and `command.ts` are behind them.
import type { ServerResponse } from "node:http";
import type { CommandRecord, StdinAnswer } from "../../protocol/command.js";
import type { Enforcement } from "../../protocol/health.js";
import type { Surroundings } from "./host-environment.js";
import type { ListQuery } from "./listing.js";
import type { LogReader } from "./log-reader.js";
import type { Confinement } from "./request.js";
import type { StdinInput } from "./stdin.js";

/** One command, after admission: ids are checked, the directory is canonical, every ask is answered. */
export interface CommandSpec {
  commandID: string;
  sessionID: string;
  workspaceID: string;
  /** Exactly one of the two: a program with its arguments (looked up on the PATH), or text for bash, else sh. */
  argv?: string[] | undefined;
  command?: string | undefined;
  /** Canonical real path. It is opened without following any link, and the command refused if that fails. */
  cwd: string;
  /** A private directory to be removed when the command and all its descendants have ended. */
  tmpdir?: string | undefined;
  /** Over the login environment. */
  env?: Record<string, string> | undefined;
  timeoutMs?: number | undefined;
  stdin?: "pipe" | undefined;
  /** One line for people. */
  title: string;
  enforcement: Enforcement;
  /** Where it fails its record has these: named in it and not shown to it; setuid programs that gain no rights. */
  hidden?: string[] | undefined;
  setuid?: string[] | undefined;
  /** What makes that true; undefined: nothing does. */
  confinement?: Confinement | undefined;
  /** What its environment has over the login's, for that; `env` goes over both. */
  surroundings?: Surroundings | undefined;
  /** What makes a repeated request the same one; default: `fingerprintOf` all of the above that the client chose. */
  fingerprint?: string | undefined;
}

/** Where a follower stands: bytes of each stream that it has already. */
export interface OutputOffsets {
  stdout: number;
  stderr: number;
}

export interface Command {
  readonly commandID: string;
  readonly fingerprint: string;
  record(): CommandRecord;
  /** Resolves when the shell runs; rejects with RemoteError (`cwd_missing`, `spawn_failed`…) if nothing ran. */
  readonly started: Promise<void>;
  /** Resolves when the shell has ended, or at once when it is cancelled; never rejects. */
  readonly done: Promise<CommandRecord>;
  /** Resolves when every descendant has ended, or the kill is confirmed (`survivors`), or the helper died (`lost`). */
  readonly settled: Promise<CommandRecord>;
  /** True once `settled`. */
  readonly isSettled: boolean;
  /**
   * Answers `response` with frames from `from` to the end of the command, then ends it. Takes care of status, headers
   * and backpressure; an error before the start becomes a coded JSON answer. The client gone is nothing to the command.
   */
  follow(response: ServerResponse, from?: OutputOffsets): void;
  /** The caller has its answer at once, the kill is confirmed by `settled`. Idempotent; also ends what an ended shell left behind. */
  cancel(reason: "abort" | "timeout"): CommandRecord;
  /** Writes to its stdin (stdin.ts). Throws `stdin_none`, `stdin_closed`, `stdin_gap`. */
  write(input: StdinInput): Promise<StdinAnswer>;
  /** A reader of the log of one stream, to be closed by whoever asks for it. */
  openLog(stream: "stdout" | "stderr"): LogReader;
}

export interface CommandFilter {
  workspaceID?: string;
  sessionID?: string;
}

export interface CommandService {
  /**
   * Idempotent by `commandID`: the same id with the same fingerprint is the same command, never a second run,
   * across restarts of the stub too. Throws RemoteError: `command_conflict` (another command has this id),
   * `invalid_request` (NUL in a string). Failures of the start itself come by `started`.
   */
  start(spec: CommandSpec): Command;
  /** Resolves when `list` holds what an earlier stub left running; `get` finds each of them before, too. */
  readonly adopted: Promise<void>;
  /** Whether a start with this id would be a repetition; cheaper than `get`. Where another stub was quicker it may miss it: `start` does not. */
  has(commandID: string): boolean;
  /** From memory or disk; undefined where there is none. */
  get(commandID: string): Command | undefined;
  /** Those that run, and those with descendants left; ended ones as long as they are in memory. */
  list(filter?: CommandFilter): Command[];
  /** Of all that are known, on the disk too; newest first. */
  page(query: ListQuery): Promise<CommandRecord[]>;
  /** Commands whose shell runs. */
  running(filter?: CommandFilter): number;
  /** What the user has after logging in, as commands get it; waits for it at most a few seconds. */
  loginEnvironment(signal?: AbortSignal): Promise<Record<string, string>>;
  /** Ends the spawner; commands go on by themselves. Idempotent. */
  close(): Promise<void>;
}

/** `command.settled` follows only where `command.ended` left `survivors` open: after a kill, or with processes left. */
export type CommandEventType = "command.started" | "command.output" | "command.ended" | "command.settled";

/** `properties` of `command.output`; those of the others are the `CommandRecord`. */
export interface CommandOutputProperties {
  commandID: string;
  sessionID: string;
  workspaceID: string;
  /** Bytes printed so far. */
  stdout: number;
  stderr: number;
}

/** Told of everything worth an event. `listening` false: output is not reported at all. */
export interface CommandEvents {
  emit(type: CommandEventType, properties: CommandRecord | CommandOutputProperties): void;
  listening(): boolean;
}
