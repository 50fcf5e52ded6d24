// How a call of a session reaches its host: connects at the first one, in the session's workspace, asks where the stub wants
// to be asked, and ends with the caller or the session.
import { RemoteError } from "../../../protocol/errors.js";
import type { StubClient } from "../../stub-client/client.js";
import { type Asking, FileRequests } from "../../stub-client/files.js";
import { UndoRequests } from "../../stub-client/undo.js";
import { VcsRequests } from "../../stub-client/vcs.js";
import type { ConnectionState, OperationOptions, RunnerDestination, RunnerSessionOptions } from "../runner.js";
import { withAsks } from "./asking.js";
import { LookGatherer } from "./gather.js";
import { Looks } from "./looks.js";
import type { HostSetting } from "./setting.js";
import { FORGETFUL, USUAL_WISH, type Wish, type Wishes } from "./wishes.js";
import { SessionWorkspace } from "./workspace.js";

/** A host that may be used: its client is lazy too. */
export interface OpenedHost extends HostSetting {
  client: StubClient;
  /** Further directories that the host's configuration approves for reading. */
  readRoots: string[];
  /** What the host's configuration wants of each of its workspaces; default: the usual. */
  wish?: Wish;
  /** What each was last told; default: nothing. */
  wishes?: Wishes;
}

interface Opened {
  client: StubClient;
  files: FileRequests;
  looks: Looks;
  workspace: SessionWorkspace;
  setting: HostSetting;
  progress: Disposable | undefined;
}

export interface HostCallsParts {
  destination: RunnerDestination;
  options: RunnerSessionOptions;
  open: () => Promise<OpenedHost>;
}

export class HostCalls {
  readonly #parts: HostCallsParts;
  readonly #closed = new AbortController();
  #opening: Promise<Opened> | undefined;
  #opened: Opened | undefined;

  constructor(parts: HostCallsParts) {
    this.#parts = parts;
  }

  get connection(): ConnectionState {
    return this.#opened?.client.link.state ?? "idle";
  }

  /** Aborted when the session is closed. */
  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  close(): void {
    this.#closed.abort(new RemoteError("unavailable", "the session was closed"));
    this.#opened?.progress?.[Symbol.dispose]();
  }

  async vcs<T>(options: OperationOptions, work: (vcs: VcsRequests, asking: Asking) => Promise<T>): Promise<T> {
    const { client } = await this.open();
    return await this.file(options, (_files, asking) => work(new VcsRequests(client), asking));
  }

  async undo<T>(work: (undo: UndoRequests) => Promise<T>): Promise<T> {
    const { client, workspace } = await this.open();
    return await workspace.within(() => work(new UndoRequests(client)));
  }

  /** What only looks: calls of the same moment share a request. */
  async look<T>(options: OperationOptions, work: (looks: Looks, asking: Asking) => Promise<T>): Promise<T> {
    const { looks } = await this.open();
    return await this.file(options, (_, asking) => work(looks, asking));
  }

  async file<T>(options: OperationOptions, work: (files: FileRequests, asking: Asking) => Promise<T>): Promise<T> {
    const { client, files, workspace } = await this.open();
    const signal = this.signal(options.signal);
    const { change } = options;
    return await withAsks(this.asking(client, { ...options, signal }), (answered) => {
      const asking: Asking = { workspace: workspace.id, onAsk: "fail", signal, permissionID: answered.at(-1), change };
      return workspace.within(() => work(files, asking));
    });
  }

  asking(client: StubClient, options: OperationOptions) {
    const { sessionID, signal } = options;
    return { client, onAsk: options.onAsk ?? this.#parts.options.onAsk, sessionID, signal };
  }

  /** Aborted by any of these, and when the session is closed. */
  signal(...others: (AbortSignal | undefined)[]): AbortSignal {
    const given = others.filter((signal) => signal !== undefined);
    return given.length === 0 ? this.#closed.signal : AbortSignal.any([...given, this.#closed.signal]);
  }

  async open(): Promise<Opened> {
    if (this.#closed.signal.aborted) throw this.#closed.signal.reason;
    this.#opening ??= this.#openOnce().catch((error) => {
      this.#opening = undefined;
      throw error;
    });
    return await this.#opening;
  }

  async #openOnce(): Promise<Opened> {
    const { destination, options, open } = this.#parts;
    const { client, env, init, readRoots, wish = USUAL_WISH, wishes = FORGETFUL } = await open();
    const all = [...(destination.readRoots ?? []), ...readRoots];
    const { enforcement = wish.enforcement, network = wish.network } = destination;
    const workspace = new SessionWorkspace(client, {
      destination: { ...destination, readRoots: [...new Set(all)] },
      wish: { enforcement, network },
      wishes,
    });
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
