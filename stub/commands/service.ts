// All commands of this stub: starts them through the spawner, finds those of earlier stubs on disk, forgets old ones.
import { mkdirSync } from "node:fs";
import type { CommandRecord } from "../../protocol/command.js";
import { RemoteError } from "../../protocol/errors.js";
import { CommandArchive } from "./archive.js";
import { type CommandOwner, RunningCommand } from "./command.js";
import { type LoginEnvironment, type LoginOptions, readLoginEnvironment } from "./environment.js";
import type { RetentionLimits } from "./expiry.js";
import { type RunMeta, readRunFile } from "./files.js";
import { fingerprintOf } from "./fingerprint.js";
import type { AskUser } from "./held-asks.js";
import { HostEnvironment } from "./host-environment.js";
import { type Listed, type ListQuery, pageOf } from "./listing.js";
import { Spawners } from "./spawners.js";
import { checkSpec, metaOf, requestOf } from "./spec.js";
import type {
  Command,
  CommandEvents,
  CommandEventType,
  CommandFilter,
  CommandOutputProperties,
  CommandService,
  CommandSpec,
} from "./types.js";
import { bootID } from "./watch.js";

/** As pino has them. */
export interface CommandLog {
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
}

export interface CommandServiceOptions {
  /** Absolute path of the helper binary. */
  helper: string;
  /** `state/commands`; made if it is missing. */
  directory: string;
  /** The user's login shell and what sshd gave us; `helper` is added. */
  login: Omit<LoginOptions, "helper">;
  events: CommandEvents;
  /** Where asks of running commands go; without it their helpers deny them after a while. */
  askUser?: AskUser | undefined;
  log: CommandLog;
  /** The login environment could not be read as usual: commands get a plainer one. */
  onLoginProblem?: (problem: string) => void;
  /** From SIGTERM to SIGKILL. Default 2000. */
  graceMs?: number;
  /** Bytes that both logs of one command may hold on the disk. Default 256 MiB. */
  logCap?: number | undefined;
  /** Ended commands that are kept in memory; the rest is read from disk when asked for. Default 200. */
  keep?: number;
  /** What is kept of ended commands on the disk; default `RETENTION`. */
  retention?: Partial<RetentionLimits> | undefined;
  /** Between two looks at what is to be deleted there, in milliseconds. */
  sweepMs?: number | undefined;
}

const GRACE_MS = 2000;
const LOG_CAP = 256 * 1024 * 1024;
const KEEP = 200;
export class HostCommandService implements CommandService, CommandOwner {
  /** Resolves when `list` holds what an earlier stub left running; `get` finds each of them before, too. */
  readonly adopted: Promise<void>;
  readonly #options: CommandServiceOptions;
  readonly boot = bootID();
  readonly #commands = new Map<string, RunningCommand>();
  /** Ended ones, oldest first. */
  readonly #settled = new Set<RunningCommand>();
  readonly #login: Promise<LoginEnvironment>;
  readonly #closing = new AbortController();
  /** The owner of what has ended, which has no news. */
  readonly #silent: CommandOwner = {
    boot: this.boot,
    askUser: undefined,
    warn: () => undefined,
    emit: () => undefined,
    listening: () => false,
    cancel: () => false,
    takenOver: () => undefined,
    failed: () => undefined,
    settled: (command) => this.settled(command),
  };
  #environment: HostEnvironment | undefined;
  readonly #archive: CommandArchive;
  readonly #spawners: Spawners;
  #closed = false;

  constructor(options: CommandServiceOptions) {
    this.#options = options;
    mkdirSync(options.directory, { recursive: true, mode: 0o700 });
    this.#archive = new CommandArchive({
      directory: options.directory,
      busy: (commandID) => this.#commands.get(commandID)?.isInUse ?? false,
      onError: (error, message) => options.log.error({ err: error }, message),
      retention: options.retention,
      sweepMs: options.sweepMs,
    });
    this.#spawners = new Spawners(options);
    this.#login = readLoginEnvironment({ ...options.login, helper: options.helper }, this.#closing.signal);
    this.#login.then((login) => {
      this.#environment = new HostEnvironment(login);
      const { source, problem } = login;
      if (problem === undefined) return;
      options.log.warn({ source, problem }, "the login environment could not be read as usual");
      options.onLoginProblem?.(problem);
    });
    this.adopted = this.#adopt().catch((error: unknown) => {
      options.log.error({ err: error }, "the commands of an earlier stub could not be read");
    });
  }

  start(spec: CommandSpec): Command {
    checkSpec(spec);
    const fingerprint = fingerprintOf(spec);
    const known = this.has(spec.commandID) ? this.get(spec.commandID) : undefined;
    if (known !== undefined) {
      if (known.fingerprint === fingerprint) return known;
      throw new RemoteError("command_conflict", `${spec.commandID} is another command`);
    }
    if (this.#closed) throw new RemoteError("unavailable", "the stub is ending");
    const meta = metaOf(spec, fingerprint, this.boot);
    const command = new RunningCommand(this, this.#archive.base(spec.commandID), meta);
    this.#commands.set(spec.commandID, command);
    if (this.#environment !== undefined) this.#submit(command, spec, meta, this.#environment);
    else {
      this.#login.then((login) => {
        this.#environment ??= new HostEnvironment(login);
        if (command.isQueued) this.#submit(command, spec, meta, this.#environment);
      });
    }
    return command;
  }

  get(commandID: string): Command | undefined {
    const known = this.#commands.get(commandID);
    if (known !== undefined) return known;
    return this.#archive.has(commandID) ? this.#load(commandID) : undefined;
  }

  has(commandID: string): boolean {
    return this.#commands.has(commandID) || this.#archive.has(commandID);
  }

  async page(query: ListQuery): Promise<CommandRecord[]> {
    await this.adopted;
    return pageOf(this.#listed(), query, (commandID) => this.get(commandID)?.record());
  }

  list(filter: CommandFilter = {}): Command[] {
    return [...this.#commands.values()].filter((command) => {
      const record = command.record();
      if (filter.workspaceID !== undefined && record.workspaceID !== filter.workspaceID) return false;
      return filter.sessionID === undefined || record.sessionID === filter.sessionID;
    });
  }

  running(filter: CommandFilter = {}): number {
    return this.list(filter).filter((command) => ["queued", "running"].includes(command.record().state)).length;
  }

  async loginEnvironment(signal?: AbortSignal): Promise<Record<string, string>> {
    signal?.throwIfAborted();
    return { ...(await this.#login).env };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#closing.abort();
    for (const command of this.#commands.values()) command.release();
    await Promise.all([this.#spawners.close(), this.#archive.close()]);
  }

  // ---- for its commands ------------------------------------------------------------------------------------------

  get askUser(): AskUser | undefined {
    return this.#options.askUser;
  }

  warn(error: unknown, message: string): void {
    this.#options.log.warn({ err: error }, message);
  }

  emit(type: CommandEventType, properties: CommandRecord | CommandOutputProperties): void {
    this.#options.events.emit(type, properties);
  }

  listening(): boolean {
    return this.#options.events.listening();
  }

  cancel(command: RunningCommand, reason: "abort" | "timeout"): boolean {
    return this.#spawners.cancel(command, reason);
  }

  takenOver(command: RunningCommand): void {
    this.#spawners.forget(command);
  }

  failed(command: RunningCommand): void {
    this.#spawners.forget(command);
    if (this.#commands.get(command.commandID) === command) this.#commands.delete(command.commandID);
  }

  settled(command: RunningCommand): void {
    this.#spawners.forget(command);
    if (command.hasRecord) this.#archive.add(command.record());
    this.#settled.add(command);
    const keep = this.#options.keep ?? KEEP;
    for (const oldest of this.#settled) {
      if (this.#settled.size <= keep) break;
      this.#settled.delete(oldest);
      if (this.#commands.get(oldest.commandID) === oldest) this.#commands.delete(oldest.commandID);
    }
  }

  #submit(command: RunningCommand, spec: CommandSpec, meta: RunMeta, host: HostEnvironment): void {
    const request = requestOf(spec, host.within(spec.surroundings), {
      base: this.#archive.base(spec.commandID),
      meta: JSON.stringify(meta),
      graceMs: this.#options.graceMs ?? GRACE_MS,
      logCap: this.#archive.capOf(this.#options.logCap ?? LOG_CAP),
    });
    try {
      this.#spawners.start(command, request);
    } catch (error) {
      if (!(error instanceof RemoteError)) throw error;
      command.fail(error);
      return;
    }
    command.submitted();
    if (spec.timeoutMs !== undefined) command.limit(spec.timeoutMs);
  }

  // ---- what is on disk -------------------------------------------------------------------------------------------

  *#listed(): Iterable<Listed> {
    for (const command of this.#commands.values()) {
      const { commandID, sessionID, workspaceID, state, time } = command.record();
      yield { commandID, sessionID, workspaceID, state, created: time.created };
    }
    for (const entry of this.#archive.ended()) if (!this.#commands.has(entry.commandID)) yield entry;
  }

  /** Commands of an earlier stub that may still run: their helpers live on. Thousands of ended ones are passed over. */
  async #adopt(): Promise<void> {
    for (const commandID of await this.#archive.open()) {
      if (this.#closed) return;
      this.#adoptOne(commandID);
    }
  }

  #adoptOne(commandID: string): void {
    if (this.#commands.has(commandID)) return;
    try {
      this.#load(commandID);
    } catch (error) {
      if (!(error instanceof RemoteError)) throw error; // reported by #load
    }
  }

  #load(commandID: string): RunningCommand | undefined {
    try {
      const file = readRunFile(this.#archive.base(commandID));
      if (file === undefined) return undefined;
      // what was told to end once is not told again because somebody looks at it
      const owner = this.#archive.isListed(commandID) ? this.#silent : this;
      const command = RunningCommand.fromDisk(owner, this.#archive.base(commandID), file);
      this.#commands.set(commandID, command);
      return command;
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      this.#options.log.error({ err: error, commandID }, "the record of a command does not parse");
      throw new RemoteError("internal", `the record of ${commandID} on the host does not parse`, { cause: error });
    }
  }
}
