// A session on a host through its stub. Lazy: nothing connects before the first call.
import { codeOf, RemoteError } from "../../../protocol/errors.js";
import type { FileView } from "../../../protocol/file.js";
import type { AskedPath } from "../../../protocol/permission.js";
import type { FindAnswer, GlobAnswer, TextMatch } from "../../../protocol/search.js";
import { createPty } from "../../stub-client/pty.js";
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
  RunnerSessionState,
  RunnerStat,
  RunnerVcs,
  WriteFileOptions,
  WrittenFile,
} from "../runner.js";
import { runBatch } from "./batch.js";
import { HostCalls, type HostCallsParts } from "./calls.js";
import { HostCommands } from "./commands.js";
import { defined } from "./defined.js";
import { ptyBody, ptyOf } from "./pty.js";

export interface SshSessionParts extends HostCallsParts {
  providerID: string;
  capabilities: RunnerCapabilities;
}

export class SshRunnerSession implements RunnerSession {
  readonly state: RunnerSessionState;
  readonly capabilities: RunnerCapabilities;
  readonly #calls: HostCalls;
  readonly #commands: HostCommands;
  readonly #terminals = new Set<RunnerPty>();

  constructor(parts: SshSessionParts) {
    this.#calls = new HostCalls(parts);
    this.#commands = new HostCommands(this.#calls);
    this.capabilities = parts.capabilities;
    this.state = { providerID: parts.providerID, destination: parts.destination };
  }

  get connection(): ConnectionState {
    return this.#calls.connection;
  }

  async describe(signal?: AbortSignal): Promise<HostFacts> {
    const { client, workspace } = await this.#calls.open();
    const context = await workspace.within(() => client.workspaceContext(workspace.id, this.#calls.signal(signal)));
    const { hostname, platform, arch, home, user, enforcement, stub, instructions } = context;
    const { directory } = context.workspace;
    return { hostname, platform, arch, directory, home, user, enforcement, stub, instructions };
  }

  runCommand(request: RunCommandRequest): Promise<CommandResult> {
    return this.#commands.run(request);
  }

  cancelCommand(commandID: string, signal?: AbortSignal): Promise<boolean> {
    return this.#commands.cancel(commandID, signal);
  }

  askForBlocked(commandID: string, options?: OperationOptions): Promise<AskedPath[]> {
    return this.#commands.askForBlocked(commandID, options);
  }

  findCommand(commandID: string, signal?: AbortSignal): Promise<CommandResult | undefined> {
    return this.#commands.find(commandID, signal);
  }

  followCommand(commandID: string, options: FollowCommandOptions): Promise<CommandResult> {
    return this.#commands.follow(commandID, options);
  }

  readFile(
    path: string,
    options: OperationOptions & { offset?: number; length?: number } = {},
  ): Promise<ReadFileResult> {
    const { offset, length } = options;
    return this.#calls.look(options, (looks, asking) => looks.read(path, { offset, length }, asking));
  }

  writeFile(path: string, data: Uint8Array, options: WriteFileOptions = {}): Promise<WrittenFile> {
    return this.#calls.file(options, (files, asking) => files.write(path, data, options, asking));
  }

  stat(path: string, options: OperationOptions = {}): Promise<RunnerStat> {
    return this.#calls.look(options, (looks, asking) => looks.stat(path, asking));
  }

  async readdir(path: string, options: OperationOptions = {}): Promise<RunnerEntry[]> {
    const nodes = await this.#calls.look(options, (looks, asking) => looks.list(path, asking));
    return nodes.map(({ name, absolute, type, ignored }) => ({ name, path: absolute, type, ignored }));
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

  mkdir(path: string, options: OperationOptions & { parents?: boolean } = {}): Promise<void> {
    const { parents } = options;
    return this.#calls.file(options, (files, asking) => files.mkdir({ path, ...defined({ parents }) }, asking));
  }

  move(
    from: string,
    to: string,
    options: OperationOptions & { overwrite?: boolean; parents?: boolean } = {},
  ): Promise<void> {
    const { overwrite, parents } = options;
    return this.#calls.file(options, (files, asking) =>
      files.move({ from, to, ...defined({ overwrite, parents }) }, asking),
    );
  }

  remove(path: string, options: OperationOptions & { recursive?: boolean } = {}): Promise<void> {
    return this.#calls.file(options, (files, asking) => files.remove(path, options.recursive, asking));
  }

  view(path: string, options: OperationOptions & { offset?: number; limit?: number } = {}): Promise<FileView> {
    const { offset, limit } = options;
    return this.#calls.look(options, (looks, asking) => looks.view(path, { offset, limit }, asking));
  }

  glob(pattern: string, options: OperationOptions & { path?: string; limit?: number } = {}): Promise<GlobAnswer> {
    const { path, limit } = options;
    return this.#calls.file(options, (files, asking) => files.glob({ pattern, ...defined({ path, limit }) }, asking));
  }

  grep(
    pattern: string,
    options: OperationOptions & { path?: string; include?: string; limit?: number } = {},
  ): Promise<FindAnswer> {
    const { path, include, limit } = options;
    return this.#calls.file(options, (files, asking) =>
      files.grep({ pattern, ...defined({ path, include, limit }) }, asking),
    );
  }

  findText(pattern: string, options: OperationOptions & { limit?: number } = {}): Promise<TextMatch[]> {
    return this.#calls.file(options, (files, asking) => files.findText(pattern, options.limit, asking));
  }

  findFiles(
    query: string,
    options: OperationOptions & { type?: "file" | "directory" | undefined; limit?: number } = {},
  ): Promise<string[]> {
    return this.#calls.file(options, (files, asking) => files.findFiles(query, options, asking));
  }

  async batch(steps: BatchStep[], options: OperationOptions & { stop?: boolean } = {}): Promise<BatchResult[]> {
    const { client, files, workspace } = await this.#calls.open();
    const signal = this.#calls.signal(options.signal);
    return await runBatch(this.#calls.asking(client, { ...options, signal }), steps, options.stop ?? false, (body) =>
      workspace.within(() => files.batch(body, { workspace: workspace.id, signal, change: options.change })),
    );
  }

  revert(sessionID: string, point: RevertPoint | null, signal?: AbortSignal): Promise<Reverted> {
    return this.#calls.undo((undo) => undo.reach(sessionID, point, this.#calls.signal(signal)));
  }

  forgetChanges(sessionID: string, what: ForgottenChanges, signal?: AbortSignal): Promise<void> {
    const query = { ...what, messageIDs: what.messageIDs?.join(",") };
    return this.#calls.undo((undo) => undo.forget(sessionID, query, this.#calls.signal(signal)));
  }

  async openPty(request: OpenPtyRequest = {}): Promise<RunnerPty> {
    const { client, workspace, setting } = await this.#calls.open();
    const body = ptyBody(request, setting);
    const info = await this.#calls.file(request, (_files, asking) => createPty(client, body, asking));
    const pty = ptyOf(client, info, workspace.id);
    this.#terminals.add(pty);
    pty.onExit(() => this.#terminals.delete(pty));
    return pty;
  }

  readonly vcs: RunnerVcs = {
    info: (options = {}) => this.#calls.vcs(options, (vcs, asking) => vcs.info(asking)),
    status: (options = {}) => this.#calls.vcs(options, (vcs, asking) => vcs.status(asking)),
    diff: (mode, options = {}) => this.#calls.vcs(options, (vcs, asking) => vcs.diff(mode, options.context, asking)),
    raw: (options = {}) => this.#calls.vcs(options, (vcs, asking) => vcs.raw(asking)),
  };

  exposePort(): Promise<never> {
    return unsupported("ports");
  }

  snapshot(): Promise<never> {
    return unsupported("snapshots");
  }

  async close(): Promise<void> {
    const terminals = [...this.#terminals];
    // A shell that nobody can come back to. Where the connection is away it ends with its stub or its workspace.
    const ending = terminals.map((terminal) => terminal.close().catch(() => undefined));
    if (this.connection === "ready") await Promise.all(ending);
    this.#calls.close();
  }
}

function unsupported(what: string): Promise<never> {
  return Promise.reject(new RemoteError("unsupported", `${what} are not built yet`));
}
