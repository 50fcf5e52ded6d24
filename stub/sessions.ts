// Sessions: OpenCode's own, mirrored, so that commands and asks have a home. They live and die with their workspace.
import type { Static } from "typebox";
import { RemoteError } from "../protocol/errors.js";
import { newID } from "../protocol/ids.js";
import { type SessionCreate, SessionInfo, type SessionStatus } from "../protocol/session.js";
import { PACKAGE_VERSION } from "../protocol/version.js";
import type { Workspace } from "../protocol/workspace.js";
import type { CommandService } from "./commands/types.js";
import type { EventBus } from "./events/bus.js";
import type { JsonStore } from "./state/store.js";
import type { Workspaces } from "./workspaces.js";

export const KeptSession = SessionInfo;

export interface SessionsOptions {
  store: JsonStore<typeof KeptSession>;
  workspaces: Workspaces;
  commands: CommandService;
  bus: EventBus;
}

export interface SessionPlace {
  session: SessionInfo;
  workspace: Workspace;
}

export class Sessions {
  readonly #options: SessionsOptions;
  readonly #creating = new Map<string, Promise<SessionInfo>>();
  /** Sessions that are busy though no command of theirs runs (yet): shell requests from their first event to their last. */
  readonly #busy = new Map<string, number>();

  readonly #onDelete: ((id: string) => Promise<void>)[] = [];

  constructor(options: SessionsOptions) {
    this.#options = options;
    options.workspaces.onDelete((workspace) => this.#deleteOf(workspace));
  }

  /** Called once it is deleted; what it throws fails the request. */
  onDelete(callback: (id: string) => Promise<void>): void {
    this.#onDelete.push(callback);
  }

  list(approver: string | null): SessionInfo[] {
    const own = new Set(this.#options.workspaces.list(approver).map(({ id }) => id));
    return this.#options.store.values().filter(({ workspaceID }) => own.has(workspaceID));
  }

  /** Throws `session_unknown` (also where its workspace is gone), `approver_foreign`. */
  get(id: string, approver: string | null): SessionPlace {
    const session = this.#options.store.get(id);
    const workspace = session && this.#options.workspaces.find(session.workspaceID);
    if (session === undefined || workspace === undefined) throw new RemoteError("session_unknown", `no session ${id}`);
    this.#options.workspaces.get(workspace.id, approver);
    return { session, workspace };
  }

  /** Throws `session_exists`, `workspace_unknown`, or why it could not be saved. */
  async create(request: SessionCreate, approver: string | null): Promise<SessionInfo> {
    const workspace = this.#options.workspaces.get(request.workspaceID, approver);
    const id = request.id ?? newID("ses");
    const { store } = this.#options;
    if (store.get(id) !== undefined || store.isNewer(id) || this.#creating.has(id)) {
      throw new RemoteError("session_exists", `there is a session ${id} already`);
    }
    return this.#save(id, workspace, request.title);
  }

  /** The session; made in `workspaceID` where there is none. Throws `session_exists` if it is in another workspace. */
  async ensure(id: string, workspaceID: string | undefined, approver: string | null): Promise<SessionPlace> {
    await this.#creating.get(id);
    const known = this.#options.store.get(id);
    if (known === undefined && workspaceID !== undefined) {
      const workspace = this.#options.workspaces.get(workspaceID, approver);
      return { session: await (this.#creating.get(id) ?? this.#save(id, workspace, undefined)), workspace };
    }
    const place = this.get(id, approver);
    if (workspaceID !== undefined && place.workspace.id !== workspaceID) {
      throw new RemoteError("session_exists", `${id} is in ${place.workspace.id}`, {
        hint: "a session stays in its workspace",
      });
    }
    return place;
  }

  async rename(id: string, title: string, approver: string | null): Promise<SessionInfo> {
    const { session, workspace } = this.get(id, approver);
    const info = { ...session, title, time: { ...session.time, updated: Date.now() } };
    await this.#options.store.set(id, info);
    this.#publish("session.updated", info, workspace);
    return info;
  }

  /** Ends its commands, too. */
  async delete(id: string, approver: string | null): Promise<SessionInfo> {
    const { session, workspace } = this.get(id, approver);
    await this.#options.store.delete(id);
    this.#cancelAll(id);
    await Promise.all(this.#onDelete.map((callback) => callback(id)));
    this.#publish("session.deleted", session, workspace);
    return session;
  }

  /** Cancels what runs in it. */
  abort(id: string, approver: string | null): void {
    this.get(id, approver);
    this.#cancelAll(id);
  }

  /** All sessions, by id. */
  status(approver: string | null): Static<typeof SessionStatus> {
    const status: Static<typeof SessionStatus> = {};
    for (const { id } of this.list(approver)) status[id] = { type: this.isBusy(id) ? "busy" : "idle" };
    return status;
  }

  isBusy(id: string): boolean {
    return (this.#busy.get(id) ?? 0) > 0 || this.#options.commands.running({ sessionID: id }) > 0;
  }

  /** Busy until disposed. */
  occupy(id: string): Disposable {
    this.#busy.set(id, (this.#busy.get(id) ?? 0) + 1);
    return {
      [Symbol.dispose]: () => {
        const left = (this.#busy.get(id) ?? 1) - 1;
        if (left > 0) this.#busy.set(id, left);
        else this.#busy.delete(id);
      },
    };
  }

  async #save(id: string, workspace: Workspace, title: string | undefined): Promise<SessionInfo> {
    const now = Date.now();
    const info: SessionInfo = {
      id,
      slug: `remote-${id.slice(-6).toLowerCase()}`,
      projectID: "global",
      workspaceID: workspace.id,
      directory: workspace.directory ?? "",
      path: "",
      title: title ?? `Remote session ${new Date(now).toISOString()}`,
      version: PACKAGE_VERSION,
      cost: 0,
      tokens: { input: 0, output: 0, reasoning: 0, cache: { read: 0, write: 0 } },
      time: { created: now, updated: now },
    };
    const saving = this.#options.store.set(id, info).then(() => info);
    this.#creating.set(id, saving);
    try {
      await saving;
    } finally {
      this.#creating.delete(id);
    }
    this.#publish("session.created", info, workspace);
    return info;
  }

  async #deleteOf(workspace: Workspace): Promise<void> {
    for (const session of this.#options.store.values()) {
      if (session.workspaceID !== workspace.id) continue;
      await this.#options.store.delete(session.id);
      await Promise.all(this.#onDelete.map((callback) => callback(session.id)));
      this.#publish("session.deleted", session, workspace);
    }
  }

  #cancelAll(sessionID: string): void {
    for (const command of this.#options.commands.list({ sessionID })) command.cancel("abort");
  }

  #publish(type: string, info: SessionInfo, workspace: Workspace): void {
    const properties = { sessionID: info.id, info };
    this.#options.bus.publish({ type, properties, workspaceID: workspace.id });
  }
}
