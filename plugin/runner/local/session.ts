// A session on this machine: the reference that the SSH session is compared with, and a runner for tests.
import { mkdtemp, readFile, realpath, rm } from "node:fs/promises";
import { join } from "node:path";
import { codeOf, fromSystem, RemoteError } from "../../../protocol/errors.js";
import type { FileView } from "../../../protocol/file.js";
import type { FindAnswer, GlobAnswer } from "../../../protocol/search.js";
import type { Access } from "../../../protocol/workspace.js";
import type {
  BatchResult,
  BatchStep,
  CommandResult,
  ConnectionState,
  FollowCommandOptions,
  HostFacts,
  OpenPtyRequest,
  OperationOptions,
  ReadFileResult,
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
import { LocalApprovals } from "./approvals.js";
import { LOCAL_ENFORCEMENT, LocalCommand } from "./command.js";
import { listDirectory, makeDirectory, moveFile, readBytes, removeFile, statFile, writeBytes } from "./files.js";
import { canonicalPath, type PathBase } from "./paths.js";
import { localPty, type OpenTerminal } from "./pty.js";
import { findText, globFiles } from "./search.js";
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

interface Opened extends PathBase {
  approvals: LocalApprovals;
  /** Logs of commands. */
  scratch: string;
}

export class LocalRunnerSession implements RunnerSession {
  readonly state: RunnerSessionState;
  readonly capabilities: RunnerCapabilities;
  readonly #machine: LocalMachine;
  readonly #options: RunnerSessionOptions;
  readonly #commands = new Map<string, Promise<LocalCommand>>();
  readonly #terminals = new Set<RunnerPty>();
  #opening: Promise<Opened> | undefined;
  #closed = false;

  constructor(
    state: RunnerSessionState,
    capabilities: RunnerCapabilities,
    machine: LocalMachine,
    options: RunnerSessionOptions,
  ) {
    this.state = state;
    this.capabilities = capabilities;
    this.#machine = machine;
    this.#options = options;
  }

  get connection(): ConnectionState {
    return this.#opening === undefined ? "idle" : "ready";
  }

  async describe(): Promise<HostFacts> {
    const { directory } = await this.#open();
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
    return await readBytes(await this.#allowed(path, "read", "read", options), options);
  }

  async writeFile(path: string, data: Uint8Array, options: WriteFileOptions = {}): Promise<WrittenFile> {
    return await writeBytes(await this.#allowed(path, "write", "write", options), data, options);
  }

  async stat(path: string, options: OperationOptions = {}): Promise<RunnerStat> {
    return await statFile(await this.#allowed(path, "read", "stat", options));
  }

  async readdir(path: string, options: OperationOptions = {}): Promise<RunnerEntry[]> {
    return await listDirectory(await this.#allowed(path, "read", "list", options));
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
    await makeDirectory(await this.#allowed(path, "write", "make directory", options), options.parents ?? false);
  }

  async move(
    from: string,
    to: string,
    options: OperationOptions & { overwrite?: boolean; parents?: boolean } = {},
  ): Promise<void> {
    const source = await this.#allowed(from, "write", "move", options);
    await moveFile(source, await this.#allowed(to, "write", "move", options), options);
  }

  async remove(path: string, options: OperationOptions & { recursive?: boolean } = {}): Promise<void> {
    await removeFile(await this.#allowed(path, "write", "remove", options), options.recursive ?? false);
  }

  async view(path: string, options: OperationOptions & { offset?: number; limit?: number } = {}): Promise<FileView> {
    return await viewFile(await this.#allowed(path, "read", "read", options), options.offset, options.limit);
  }

  async glob(pattern: string, options: OperationOptions & { path?: string; limit?: number } = {}): Promise<GlobAnswer> {
    const directory = await this.#allowed(options.path ?? ".", "read", "glob", options);
    return await globFiles(this.#machine.rg, directory, pattern, options.limit, options.signal);
  }

  async grep(
    pattern: string,
    options: OperationOptions & { path?: string; include?: string; limit?: number } = {},
  ): Promise<FindAnswer> {
    const path = await this.#allowed(options.path ?? ".", "read", "grep", options);
    const { directory } = await this.#open();
    const { include, limit, signal } = options;
    return await findText(this.#machine.rg, { directory: directory ?? "/", path }, { pattern, include, limit }, signal);
  }

  async batch(steps: BatchStep[], options: OperationOptions & { stop?: boolean } = {}): Promise<BatchResult[]> {
    const results: BatchResult[] = [];
    for (const step of steps) {
      const failed = options.stop && results.some((result) => !result.ok);
      if (failed) results.push({ ok: false, error: new RemoteError("aborted", "an earlier step failed") });
      else results.push(await this.#step(step, options));
    }
    return results;
  }

  async openPty(request: OpenPtyRequest = {}): Promise<RunnerPty> {
    const { openTerminal, env, home } = this.#machine;
    if (openTerminal === undefined) return unsupported("terminals");
    const opened = await this.#open();
    const named = request.cwd ?? opened.directory ?? home;
    const cwd = await this.#allowed(named, "read", "open a terminal", request);
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
  };

  exposePort(): Promise<never> {
    return unsupported("ports");
  }

  snapshot(): Promise<never> {
    return unsupported("snapshots");
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const terminal of this.#terminals) await terminal.close();
    for (const command of await Promise.allSettled(this.#commands.values())) {
      if (command.status === "fulfilled") command.value.close();
    }
    // That it could not be opened was told to whoever opened it.
    const opened = await this.#opening?.catch(() => undefined);
    if (opened !== undefined) await rm(opened.scratch, { recursive: true, force: true });
  }

  async #start(request: RunCommandRequest): Promise<LocalCommand> {
    const opened = await this.#open();
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

  async #step(step: BatchStep, options: OperationOptions): Promise<BatchResult> {
    try {
      if (step.op === "stat") return { ok: true, stat: await this.stat(step.path, options) };
      if (step.op === "read") {
        const { data, tag } = await this.readFile(step.path, { ...options, length: step.maxBytes });
        return { ok: true, data, tag };
      }
      if (step.op === "write") {
        const { ifMatch, parents } = step;
        return { ok: true, written: await this.writeFile(step.path, step.data, { ...options, ifMatch, parents }) };
      }
      if (step.op === "remove") await this.#removeIf(step.path, step.ifMatch, options);
      else await this.move(step.from, step.to, { ...options, parents: step.parents });
      return { ok: true };
    } catch (error) {
      return { ok: false, error: fromSystem(error, String(error), "internal") };
    }
  }

  async #removeIf(path: string, ifMatch: string | undefined, options: OperationOptions): Promise<void> {
    if (ifMatch !== undefined && (await this.stat(path, options)).tag !== ifMatch) {
      throw new RemoteError("conflict", `${path} changed since it was read`);
    }
    await this.remove(path, options);
  }

  async #allowed(path: string, access: Access, reason: string, options: OperationOptions): Promise<string> {
    if (options.signal?.aborted) throw new RemoteError("aborted", "aborted", { cause: options.signal.reason });
    const opened = await this.#open();
    const canonical = await canonicalPath(opened, path);
    await opened.approvals.require(canonical, access, reason, options);
    return canonical;
  }

  async #open(): Promise<Opened> {
    if (this.#closed) throw new RemoteError("unavailable", "the session was closed");
    this.#opening ??= this.#openOnce().catch((error) => {
      this.#opening = undefined;
      throw error;
    });
    return await this.#opening;
  }

  async #openOnce(): Promise<Opened> {
    const { home, tmpdir } = this.#machine;
    const { directory, readRoots = [] } = this.state.destination;
    const named = { directory: null, home };
    const root = directory === null ? null : await canonicalPath(named, directory);
    if (root !== null && (await statFile(root)).type !== "directory")
      throw new RemoteError("ENOTDIR", `ENOTDIR: ${root}`);
    const reads = await Promise.all(readRoots.map((path) => canonicalPath(named, path)));
    const scratch = await realpath(await mkdtemp(join(tmpdir, "opencode-remote-local-")));
    return { directory: root, home, approvals: new LocalApprovals(root, reads, this.#options.onAsk), scratch };
  }
}

async function instructionsOf(directory: string): Promise<HostFacts["instructions"]> {
  for (const name of ["AGENTS.md", "CLAUDE.md"]) {
    const path = join(directory, name);
    const text = await readFile(path, "utf8").catch((error) => {
      if (codeOf(error) === "ENOENT") return undefined;
      throw error;
    });
    if (text !== undefined) return [{ path, text: text.slice(0, 64 * 1024) }];
  }
  return [];
}

function unsupported(what: string): Promise<never> {
  return Promise.reject(new RemoteError("unsupported", `${what} are not built yet`));
}
