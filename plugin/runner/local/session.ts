// A session on this machine: the reference that the SSH session is compared with, and a runner for tests.
import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { codeOf, RemoteError } from "../../../protocol/errors.js";
import type { FileView } from "../../../protocol/file.js";
import type { AskedPath } from "../../../protocol/permission.js";
import type { FindAnswer, GlobAnswer, TextMatch } from "../../../protocol/search.js";
import type {
  BatchResult,
  BatchStep,
  CommandResult,
  ConnectionState,
  FollowCommandOptions,
  ForgottenChanges,
  HostFacts,
  OpenPtyRequest,
  OperationOptions,
  ReadFileResult,
  Reverted,
  RevertPoint,
  RunCommandRequest,
  RunnerCapabilities,
  RunnerEntry,
  RunnerPty,
  RunnerSession,
  RunnerSessionOptions,
  RunnerSessionState,
  RunnerStat,
  RunnerVcs,
  WriteFileOptions,
  WrittenFile,
} from "../runner.js";
import { runSteps } from "./batch.js";
import { LOCAL_ENFORCEMENT, LocalCommand } from "./command.js";
import { listDirectory, makeDirectory, moveFile, readBytes, removeFile, statFile, writeBytes } from "./files.js";
import { instructionsOf } from "./instructions.js";
import { canonicalPath } from "./paths.js";
import { LocalPlace } from "./place.js";
import { localPty, type OpenTerminal } from "./pty.js";
import { findText, globFiles, likeNames, searchText } from "./search.js";
import { LocalUndo } from "./undo.js";
import { viewFile } from "./view.js";

/** What a local session is told about this machine. */
export interface LocalMachine {
  hostname: string;
  platform: string;
  arch: string;
  home: string;
  user: string;
  /** For text commands, for example /bin/bash. */
  shell: string;
  /** Path of ripgrep. */
  rg: string;
  /** The environment of commands. */
  env: Record<string, string | undefined>;
  /** Private directories are made below it. */
  tmpdir: string;
  /** Opens terminals (node-pty or what is like it); without it there are none. */
  openTerminal?: OpenTerminal;
}

/** As OpenCode's own search of text and names. */
const FIND_LIMIT = 10;

export class LocalRunnerSession implements RunnerSession {
  readonly state: RunnerSessionState;
  readonly capabilities: RunnerCapabilities;
  readonly #machine: LocalMachine;
  readonly #place: LocalPlace;
  readonly #undo = new LocalUndo();
  readonly #commands = new Map<string, Promise<LocalCommand>>();
  readonly #terminals = new Set<RunnerPty>();

  constructor(
    state: RunnerSessionState,
    capabilities: RunnerCapabilities,
    machine: LocalMachine,
    options: RunnerSessionOptions,
  ) {
    this.state = state;
    this.capabilities = capabilities;
    this.#machine = machine;
    this.#place = new LocalPlace(state.destination, machine, options.onAsk);
  }

  get connection(): ConnectionState {
    return this.#place.isOpen ? "ready" : "idle";
  }

  async describe(): Promise<HostFacts> {
    const { directory } = await this.#place.open();
    const { hostname, platform, arch, home, user } = this.#machine;
    const instructions = directory === null ? [] : await instructionsOf(directory);
    return {
      hostname,
      platform,
      arch,
      directory,
      home,
      user,
      enforcement: LOCAL_ENFORCEMENT,
      stub: null,
      instructions,
    };
  }

  async runCommand(request: RunCommandRequest): Promise<CommandResult> {
    if ((request.command === undefined) === (request.program === undefined)) {
      throw new RemoteError("invalid_request", "exactly one of `command` and `program` is needed");
    }
    if (request.signal?.aborted) throw new RemoteError("aborted", "aborted before it started");
    let command = this.#commands.get(request.commandID);
    if (command === undefined) {
      command = this.#start(request);
      this.#commands.set(request.commandID, command);
      // Told to the caller below; the id may be used again.
      command.catch(() => this.#commands.delete(request.commandID));
    }
    return await (await command).follow(request);
  }

  async cancelCommand(commandID: string): Promise<boolean> {
    const command = await this.#commands.get(commandID);
    return command?.cancel() ?? false;
  }

  /** Nothing holds a command here, so nothing was refused. */
  async askForBlocked(): Promise<AskedPath[]> {
    return [];
  }

  async findCommand(commandID: string): Promise<CommandResult | undefined> {
    return (await this.#commands.get(commandID))?.now();
  }

  async followCommand(commandID: string, options: FollowCommandOptions): Promise<CommandResult> {
    const command = await this.#commands.get(commandID);
    if (command === undefined) throw new RemoteError("command_unknown", `no command ${commandID}`);
    return await command.output(options);
  }

  async readFile(
    path: string,
    options: OperationOptions & { offset?: number; length?: number } = {},
  ): Promise<ReadFileResult> {
    return await readBytes(await this.#place.allowed(path, "read", "read", options), options);
  }

  async writeFile(path: string, data: Uint8Array, options: WriteFileOptions = {}): Promise<WrittenFile> {
    const target = await this.#place.allowed(path, "write", "write", options);
    return await this.#undo.around(options.change, [target], () => writeBytes(target, data, options));
  }

  async stat(path: string, options: OperationOptions = {}): Promise<RunnerStat> {
    return await statFile(await this.#place.allowed(path, "read", "stat", options));
  }

  async readdir(path: string, options: OperationOptions = {}): Promise<RunnerEntry[]> {
    return await listDirectory(await this.#place.allowed(path, "read", "list", options));
  }

  async exists(path: string, options: OperationOptions = {}): Promise<boolean> {
    try {
      await this.stat(path, options);
      return true;
    } catch (error) {
      if (codeOf(error) === "ENOENT" || codeOf(error) === "ENOTDIR") return false;
      throw error;
    }
  }

  async mkdir(path: string, options: OperationOptions & { parents?: boolean } = {}): Promise<void> {
    await makeDirectory(await this.#place.allowed(path, "write", "make directory", options), options.parents ?? false);
  }

  async move(
    from: string,
    to: string,
    options: OperationOptions & { overwrite?: boolean; parents?: boolean } = {},
  ): Promise<void> {
    const source = await this.#place.allowed(from, "write", "move", options);
    const target = await this.#place.allowed(to, "write", "move", options);
    await this.#undo.around(options.change, [source, target], () => moveFile(source, target, options));
  }

  async remove(path: string, options: OperationOptions & { recursive?: boolean } = {}): Promise<void> {
    const target = await this.#place.allowed(path, "write", "remove", options);
    await this.#undo.around(options.change, [target], () => removeFile(target, options.recursive ?? false));
  }

  async view(path: string, options: OperationOptions & { offset?: number; limit?: number } = {}): Promise<FileView> {
    return await viewFile(await this.#place.allowed(path, "read", "read", options), options.offset, options.limit);
  }

  async glob(pattern: string, options: OperationOptions & { path?: string; limit?: number } = {}): Promise<GlobAnswer> {
    const directory = await this.#place.allowed(options.path ?? ".", "read", "glob", options);
    return await globFiles(this.#machine.rg, directory, pattern, options.limit, options.signal);
  }

  async grep(
    pattern: string,
    options: OperationOptions & { path?: string; include?: string; limit?: number } = {},
  ): Promise<FindAnswer> {
    const path = await this.#place.allowed(options.path ?? ".", "read", "grep", options);
    const { directory } = await this.#place.open();
    const { include, limit, signal } = options;
    return await searchText(
      this.#machine.rg,
      { directory: directory ?? "/", path },
      { pattern, include, limit },
      signal,
    );
  }

  async findText(pattern: string, options: OperationOptions & { limit?: number } = {}): Promise<TextMatch[]> {
    const path = await this.#place.allowed(".", "read", "find", options);
    const { limit = FIND_LIMIT, signal } = options;
    return (await findText(this.#machine.rg, { directory: path, path: "." }, { pattern }, signal)).slice(0, limit);
  }

  async findFiles(
    query: string,
    options: OperationOptions & { type?: "file" | "directory" | undefined; limit?: number } = {},
  ): Promise<string[]> {
    const directory = await this.#place.allowed(".", "read", "find files", options);
    const names = await likeNames(this.#machine.rg, directory, query, options.type, options.signal);
    return names.slice(0, options.limit ?? FIND_LIMIT);
  }

  async batch(steps: BatchStep[], options: OperationOptions & { stop?: boolean } = {}): Promise<BatchResult[]> {
    return await runSteps(this, steps, options);
  }

  revert(sessionID: string, point: RevertPoint | null): Promise<Reverted> {
    return this.#undo.reach(sessionID, point);
  }

  async forgetChanges(sessionID: string, what: ForgottenChanges): Promise<void> {
    this.#undo.forget(sessionID, what);
  }

  async openPty(request: OpenPtyRequest = {}): Promise<RunnerPty> {
    const { openTerminal, env, home } = this.#machine;
    if (openTerminal === undefined) return unsupported("terminals");
    const opened = await this.#place.open();
    const named = request.cwd ?? opened.directory ?? home;
    const cwd = await this.#place.allowed(named, "read", "open a terminal", request);
    const found = await statFile(cwd).catch(() => undefined);
    if (found?.type !== "directory") throw new RemoteError("cwd_missing", `${cwd} is no directory`);
    const pty = localPty(openTerminal, request, { cwd, env, shell: this.#machine.shell });
    this.#terminals.add(pty);
    pty.onExit(() => this.#terminals.delete(pty));
    return pty;
  }

  readonly vcs: RunnerVcs = {
    info: () => unsupported("version control"),
    status: () => unsupported("version control"),
    diff: () => unsupported("version control"),
    raw: () => unsupported("version control"),
  };

  exposePort(): Promise<never> {
    return unsupported("ports");
  }

  snapshot(): Promise<never> {
    return unsupported("snapshots");
  }

  async close(): Promise<void> {
    if (this.#place.isEnded) return;
    this.#place.end();
    for (const terminal of this.#terminals) await terminal.close();
    for (const command of await Promise.allSettled(this.#commands.values())) {
      if (command.status === "fulfilled") command.value.close();
    }
    await this.#place.remove();
  }

  async #start(request: RunCommandRequest): Promise<LocalCommand> {
    const opened = await this.#place.open();
    const named = request.cwd ?? opened.directory ?? (await mkdtemp(join(opened.scratch, "cwd-")));
    const cwd = await canonicalPath(opened, named);
    if (request.cwd !== undefined) await opened.approvals.require(cwd, "write", "working directory", request);
    const found = await statFile(cwd).catch((error: unknown) => {
      throw new RemoteError("cwd_missing", `${cwd} is no directory`, { cause: error });
    });
    if (found.type !== "directory") throw new RemoteError("cwd_missing", `${cwd} is no directory`);
    const { shell, env } = this.#machine;
    return new LocalCommand(request, { shell, cwd, env, directory: opened.scratch });
  }
}

function unsupported(what: string): Promise<never> {
  return Promise.reject(new RemoteError("unsupported", `${what} are not built yet`));
}
