// A session on a host through its stub. Lazy: nothing connects before the first call.
import { setMaxListeners } from "node:events";
import { codeOf, RemoteError } from "../../../protocol/errors.js";
import type { FileView } from "../../../protocol/file.js";
import { newID } from "../../../protocol/ids.js";
import type { FindAnswer, GlobAnswer } from "../../../protocol/search.js";
import type { StubClient } from "../../stub-client/client.js";
import { resumeCommand } from "../../stub-client/command-stream.js";
import { type Asking, FileRequests } from "../../stub-client/files.js";
import { createPty } from "../../stub-client/pty.js";
import { VcsRequests } from "../../stub-client/vcs.js";
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
  RunnerDestination,
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
import { withAsks } from "./asking.js";
import { runBatch } from "./batch.js";
import { type CommandWork, runCommand, toResult } from "./command.js";
import { defined } from "./defined.js";
import { LookGatherer } from "./gather.js";
import { runWithInput } from "./input.js";
import { Looks } from "./looks.js";
import { ptyBody, ptyOf } from "./pty.js";
import { applySetting, type HostSetting } from "./setting.js";
import { SessionWorkspace } from "./workspace.js";

/** A host that may be used: its client is lazy too. */
export interface OpenedHost extends HostSetting {
  client: StubClient;
  /** Further directories that the host's configuration approves for reading. */
  readRoots: string[];
}

interface Opened {
  client: StubClient;
  files: FileRequests;
  looks: Looks;
  workspace: SessionWorkspace;
  setting: HostSetting;
  progress: Disposable | undefined;
}

export interface SshSessionParts {
  providerID: string;
  capabilities: RunnerCapabilities;
  destination: RunnerDestination;
  options: RunnerSessionOptions;
  open: () => Promise<OpenedHost>;
}

export class SshRunnerSession implements RunnerSession {
  readonly state: RunnerSessionState;
  readonly capabilities: RunnerCapabilities;
  readonly #parts: SshSessionParts;
  /** For commands whose caller names no session of OpenCode's. */
  readonly #ownSessionID = newID("ses");
  readonly #closed = new AbortController();
  readonly #terminals = new Set<RunnerPty>();
  #opening: Promise<Opened> | undefined;
  #opened: Opened | undefined;

  constructor(parts: SshSessionParts) {
    this.#parts = parts;
    // Every call under way listens; hundreds at once are no leak.
    setMaxListeners(0, this.#closed.signal);
    this.capabilities = parts.capabilities;
    this.state = { providerID: parts.providerID, destination: parts.destination };
  }

  get connection(): ConnectionState {
    return this.#opened?.client.link.state ?? "idle";
  }

  async describe(signal?: AbortSignal): Promise<HostFacts> {
    const { client, workspace } = await this.#open();
    const context = await workspace.within(() => client.workspaceContext(workspace.id, this.#signal(signal)));
    const { hostname, platform, arch, home, user, enforcement, stub, instructions } = context;
    const { directory } = context.workspace;
    return { hostname, platform, arch, directory, home, user, enforcement, stub, instructions };
  }

  async runCommand(request: RunCommandRequest): Promise<CommandResult> {
    const { client, workspace, setting } = await this.#open();
    const { commandID, cwd, timeoutMs, input } = request;
    const body = {
      commandID,
      sessionID: request.sessionID ?? this.#ownSessionID,
      workspaceID: workspace.id,
      ...applySetting(request, setting),
      ...(cwd === undefined ? {} : { cwd }),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      ...(input === undefined ? {} : { stdin: "pipe" as const }),
      onAsk: "fail" as const,
    };
    const { detach } = request;
    const signal = this.#signal(request.signal, detach);
    const work: CommandWork = {
      client,
      commandID,
      signal: request.signal,
      ...(detach === undefined ? {} : { detach }),
      closed: this.#closed.signal,
      onOutput: request.onOutput,
      start: (follow) =>
        withAsks(this.#asking(client, { ...request, signal }), (answered) => {
          const permissionID = answered.at(-1);
          return workspace.within(() => follow(permissionID === undefined ? body : { ...body, permissionID }));
        }),
    };
    return await (input === undefined ? runCommand(work) : runWithInput(work, input));
  }

  async cancelCommand(commandID: string, signal?: AbortSignal): Promise<boolean> {
    const { client } = await this.#open();
    try {
      const record = await client.cancel(commandID, this.#signal(signal));
      return record.aborted;
    } catch (error) {
      if (codeOf(error) === "command_unknown") return false;
      throw error;
    }
  }

  async findCommand(commandID: string, signal?: AbortSignal): Promise<CommandResult | undefined> {
    const { client } = await this.#open();
    try {
      return toResult(await client.command(commandID, this.#signal(signal)), 0);
    } catch (error) {
      if (codeOf(error) === "command_unknown") return undefined;
      throw error;
    }
  }

  async followCommand(commandID: string, options: FollowCommandOptions): Promise<CommandResult> {
    const { client } = await this.#open();
    const { from = { stdout: 0, stderr: 0 }, onOutput } = options;
    const signal = this.#signal(options.signal);
    let missed = 0;
    const record = await resumeCommand(client, commandID, {
      from,
      signal,
      ...(onOutput === undefined ? {} : { onOutput }),
      onGap: ({ first, last }) => {
        missed += last - first + 1;
      },
    });
    return toResult(record, missed);
  }

  readFile(
    path: string,
    options: OperationOptions & { offset?: number; length?: number } = {},
  ): Promise<ReadFileResult> {
    const { offset, length } = options;
    return this.#look(options, (looks, asking) => looks.read(path, { offset, length }, asking));
  }

  writeFile(path: string, data: Uint8Array, options: WriteFileOptions = {}): Promise<WrittenFile> {
    return this.#file(options, (files, asking) => files.write(path, data, options, asking));
  }

  stat(path: string, options: OperationOptions = {}): Promise<RunnerStat> {
    return this.#look(options, (looks, asking) => looks.stat(path, asking));
  }

  async readdir(path: string, options: OperationOptions = {}): Promise<RunnerEntry[]> {
    const nodes = await this.#look(options, (looks, asking) => looks.list(path, asking));
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
    return this.#file(options, (files, asking) => files.mkdir({ path, ...defined({ parents }) }, asking));
  }

  move(
    from: string,
    to: string,
    options: OperationOptions & { overwrite?: boolean; parents?: boolean } = {},
  ): Promise<void> {
    const { overwrite, parents } = options;
    return this.#file(options, (files, asking) => files.move({ from, to, ...defined({ overwrite, parents }) }, asking));
  }

  remove(path: string, options: OperationOptions & { recursive?: boolean } = {}): Promise<void> {
    return this.#file(options, (files, asking) => files.remove(path, options.recursive, asking));
  }

  view(path: string, options: OperationOptions & { offset?: number; limit?: number } = {}): Promise<FileView> {
    const { offset, limit } = options;
    return this.#look(options, (looks, asking) => looks.view(path, { offset, limit }, asking));
  }

  glob(pattern: string, options: OperationOptions & { path?: string; limit?: number } = {}): Promise<GlobAnswer> {
    const { path, limit } = options;
    return this.#file(options, (files, asking) => files.glob({ pattern, ...defined({ path, limit }) }, asking));
  }

  grep(
    pattern: string,
    options: OperationOptions & { path?: string; include?: string; limit?: number } = {},
  ): Promise<FindAnswer> {
    const { path, include, limit } = options;
    return this.#file(options, (files, asking) =>
      files.grep({ pattern, ...defined({ path, include, limit }) }, asking),
    );
  }

  async batch(steps: BatchStep[], options: OperationOptions & { stop?: boolean } = {}): Promise<BatchResult[]> {
    const { client, files, workspace } = await this.#open();
    const signal = this.#signal(options.signal);
    return await runBatch(this.#asking(client, { ...options, signal }), steps, options.stop ?? false, (body) =>
      workspace.within(() => files.batch(body, { workspace: workspace.id, signal })),
    );
  }

  async openPty(request: OpenPtyRequest = {}): Promise<RunnerPty> {
    const { client, workspace, setting } = await this.#open();
    const body = ptyBody(request, setting);
    const info = await this.#file(request, (_files, asking) => createPty(client, body, asking));
    const pty = ptyOf(client, info, workspace.id);
    this.#terminals.add(pty);
    pty.onExit(() => this.#terminals.delete(pty));
    return pty;
  }

  readonly vcs: RunnerVcs = {
    info: (options = {}) => this.#vcs(options, (vcs, asking) => vcs.info(asking)),
    status: (options = {}) => this.#vcs(options, (vcs, asking) => vcs.status(asking)),
    diff: (mode, options = {}) => this.#vcs(options, (vcs, asking) => vcs.diff(mode, options.context, asking)),
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
    this.#closed.abort(new RemoteError("unavailable", "the session was closed"));
    this.#opened?.progress?.[Symbol.dispose]();
  }

  async #vcs<T>(options: OperationOptions, work: (vcs: VcsRequests, asking: Asking) => Promise<T>): Promise<T> {
    const { client } = await this.#open();
    return await this.#file(options, (_files, asking) => work(new VcsRequests(client), asking));
  }

  /** What only looks: calls of the same moment share a request. */
  async #look<T>(options: OperationOptions, work: (looks: Looks, asking: Asking) => Promise<T>): Promise<T> {
    const { looks } = await this.#open();
    return await this.#file(options, (_, asking) => work(looks, asking));
  }

  async #file<T>(options: OperationOptions, work: (files: FileRequests, asking: Asking) => Promise<T>): Promise<T> {
    const { client, files, workspace } = await this.#open();
    const signal = this.#signal(options.signal);
    return await withAsks(this.#asking(client, { ...options, signal }), (answered) => {
      const asking: Asking = { workspace: workspace.id, onAsk: "fail", signal, permissionID: answered.at(-1) };
      return workspace.within(() => work(files, asking));
    });
  }

  #asking(client: StubClient, options: OperationOptions) {
    const { sessionID, signal } = options;
    return { client, onAsk: options.onAsk ?? this.#parts.options.onAsk, sessionID, signal };
  }

  #signal(...others: (AbortSignal | undefined)[]): AbortSignal {
    const given = others.filter((signal) => signal !== undefined);
    return given.length === 0 ? this.#closed.signal : AbortSignal.any([...given, this.#closed.signal]);
  }

  async #open(): Promise<Opened> {
    if (this.#closed.signal.aborted) throw this.#closed.signal.reason;
    this.#opening ??= this.#openOnce().catch((error) => {
      this.#opening = undefined;
      throw error;
    });
    return await this.#opening;
  }

  async #openOnce(): Promise<Opened> {
    const { destination, options, open } = this.#parts;
    const { client, env, init, readRoots } = await open();
    const all = [...(destination.readRoots ?? []), ...readRoots];
    const workspace = new SessionWorkspace(client, { ...destination, readRoots: [...new Set(all)] });
    const files = new FileRequests(client);
    const gatherer = new LookGatherer(async (body, signal) => {
      const asking = { workspace: workspace.id, signal };
      return (await workspace.within(() => files.batch(body, asking))).results;
    });
    this.#opened = {
      client,
      files,
      looks: new Looks(files, gatherer),
      workspace,
      setting: { env, init },
      progress: options.onProgress === undefined ? undefined : client.link.onProgress(options.onProgress),
    };
    return this.#opened;
  }
}

function unsupported(what: string): Promise<never> {
  return Promise.reject(new RemoteError("unsupported", `${what} are not built yet`));
}
