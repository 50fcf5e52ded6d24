// Workspaces: created by an approver with the roots that it names, kept across restarts, deleted with all that hangs on them.
import { type FileHandle, open } from "node:fs/promises";
import { basename } from "node:path";
import { RemoteError } from "../protocol/errors.js";
import { newID } from "../protocol/ids.js";
import { Workspace, type WorkspaceChange, type WorkspaceCreate } from "../protocol/workspace.js";
import type { EnforcementService } from "./confinement/enforcement.js";
import type { EventBus } from "./events/bus.js";
import { absolutePath, refuseProc } from "./files/locate.js";
import { fileError, pin } from "./files/pin.js";
import type { HostFacts } from "./host.js";
import type { Approvals, Grant } from "./permission/approvals.js";
import { refuseRoot } from "./permission/refusals.js";
import type { AuditLog } from "./state/audit.js";
import type { JsonStore, StoreLog } from "./state/store.js";

export const KeptWorkspace = Workspace;

/** Owner of a workspace that was created without an approver (and so without a root): any approver may answer its asks. */
const NOBODY = "0000000000000000";
/** Deleted workspaces that are remembered. */
const GONE_LIMIT = 1000;

export interface WorkspacesOptions {
  store: JsonStore<typeof KeptWorkspace>;
  approvals: Approvals;
  audit: AuditLog;
  bus: EventBus;
  host: HostFacts;
  enforcement: Pick<EnforcementService, "ready" | "hasView">;
  log: StoreLog;
}

/**
 * Ends what belongs to a workspace: called when it can no longer be found and nothing is approved in it any more. Resolves when
 * that has ended; every callback is called, also where one fails. What a kill in between leaves is each service's to find at
 * the next start.
 */
export type OnDelete = (workspace: Workspace) => Promise<void>;

export class Workspaces {
  readonly #options: WorkspacesOptions;
  readonly #onDelete: OnDelete[] = [];
  /** The latest that were deleted, for what is still told of them. */
  readonly #gone = new Map<string, Workspace>();
  /** Ids that are being created: a second request for one of them is a conflict, too. */
  readonly #creating = new Set<string>();

  constructor(options: WorkspacesOptions) {
    this.#options = options;
  }

  /** Services that keep something of a workspace register here: sessions, commands, asks, terminals. */
  onDelete(callback: OnDelete): void {
    this.#onDelete.push(callback);
  }

  /** All, or those of one approver. */
  list(approver: string | null): Workspace[] {
    const all = this.#options.store.values();
    return approver === null ? all : all.filter((workspace) => isOwner(workspace, approver));
  }

  find(id: string): Workspace | undefined {
    return this.#options.store.get(id);
  }

  /** Also one that was deleted lately. */
  findLately(id: string): Workspace | undefined {
    return this.find(id) ?? this.#gone.get(id);
  }

  /** Throws `workspace_unknown`, and `approver_foreign` where an approver came along that is not the workspace's own. */
  get(id: string, approver: string | null): Workspace {
    const workspace = this.find(id);
    if (workspace === undefined) throw new RemoteError("workspace_unknown", `no workspace ${id}`);
    if (approver !== null && !isOwner(workspace, approver)) {
      throw new RemoteError("approver_foreign", `${id} belongs to another installation`);
    }
    return workspace;
  }

  /** As `get`, and throws `approver_required` without an approver. */
  getOwned(id: string, approver: string | null): Workspace {
    const workspace = this.get(id, approver);
    if (approver === null && workspace.approver !== NOBODY) {
      throw new RemoteError("approver_required", "this needs the workspace's approver");
    }
    return workspace;
  }

  /** Throws `approver_required`, `workspace_exists`, `root_refused`, `cwd_missing`, ENOTDIR, or why it could not be saved. */
  async create(request: WorkspaceCreate, approver: string | null): Promise<Workspace> {
    const named = request.directory !== undefined || (request.readRoots ?? []).length > 0;
    if (named && approver === null) throw new RemoteError("approver_required", "naming a directory approves it");
    if (request.enforcement === "off" && approver === null) {
      throw new RemoteError("approver_required", "to turn enforcement off is its user's to say");
    }
    const id = request.id ?? newID("wrk");
    const { store, approvals, audit } = this.#options;
    if (store.get(id) !== undefined || store.isNewer(id) || this.#creating.has(id)) {
      throw new RemoteError("workspace_exists", `there is a workspace ${id} already`);
    }
    this.#creating.add(id);
    try {
      const directory = request.directory === undefined ? null : await this.#root(request.directory);
      const readRoots: string[] = [];
      for (const root of request.readRoots ?? []) readRoots.push(await this.#root(root));
      const workspace: Workspace = {
        id,
        type: request.type,
        name: request.name ?? (directory === null ? request.type : basename(directory)),
        branch: request.branch ?? null,
        directory,
        readRoots,
        enforcement: request.enforcement ?? "best",
        network: request.network ?? true,
        extra: request.extra ?? null,
        approver: approver ?? NOBODY,
        time: { created: Date.now() },
      };
      const grants: Grant[] = readRoots.map((path) => ({
        path,
        access: "read",
        kind: "directory",
        source: "readRoot",
      }));
      if (directory !== null) grants.unshift({ path: directory, access: "write", kind: "directory", source: "root" });
      audit.write({
        event: "workspace",
        decision: "created",
        approver: approver ?? undefined,
        workspaceID: id,
        path: directory ?? undefined,
      });
      await approvals.forget(id);
      await approvals.add(id, grants);
      try {
        await store.set(id, workspace);
      } catch (error) {
        // What is left where this fails, too, belongs to no workspace: the next start, or the next create, drops it.
        await approvals.forget(id).catch((left: unknown) => {
          this.#options.log.warn({ err: left, workspaceID: id }, "approvals of a workspace that was not made stay");
        });
        throw error;
      }
      this.#publish("workspace.created", workspace);
      return workspace;
    } finally {
      this.#creating.delete(id);
    }
  }

  /** What is held to it, from the next command on. Throws as `getOwned`, or why it could not be saved. */
  async change(id: string, change: WorkspaceChange, approver: string | null): Promise<Workspace> {
    const changed: Workspace = { ...this.getOwned(id, approver), ...change };
    const { store, audit } = this.#options;
    const { enforcement = "best", network = true } = changed;
    const message = `enforcement ${enforcement}, network ${network ? "allowed" : "denied"}`;
    audit.write({ event: "workspace", decision: "changed", approver: approver ?? undefined, workspaceID: id, message });
    await store.set(id, changed);
    this.#publish("workspace.changed", changed);
    return changed;
  }

  async delete(id: string, approver: string | null): Promise<Workspace> {
    const workspace = this.getOwned(id, approver);
    const { store, approvals, audit } = this.#options;
    audit.write({ event: "workspace", decision: "deleted", approver: approver ?? undefined, workspaceID: id });
    this.#remember(workspace);
    await store.delete(id);
    await approvals.forget(id);
    const ended = await Promise.allSettled(this.#onDelete.map((callback) => callback(workspace)));
    for (const end of ended) {
      // It is deleted all the same: nothing can be started in it any more.
      if (end.status === "rejected") {
        this.#options.log.warn({ err: end.reason, workspaceID: id }, "something of a deleted workspace did not end");
      }
    }
    this.#publish("workspace.deleted", workspace);
    return workspace;
  }

  /** The canonical real path of a directory that may be approved. */
  async #root(text: string): Promise<string> {
    const { host, enforcement } = this.#options;
    if (!text.startsWith("/") && !text.startsWith("~/") && text !== "~") {
      throw new RemoteError("root_refused", `not an absolute path: ${text}`, { hint: "give an absolute path, or ~/…" });
    }
    const path = absolutePath(text, { directory: null, home: host.home });
    refuseProc(path, text);
    const real = await realDirectory(path, text);
    refuseProc(real, text);
    await enforcement.ready;
    refuseRoot(real, host, enforcement.hasView);
    return real;
  }

  #remember(workspace: Workspace): void {
    this.#gone.delete(workspace.id);
    this.#gone.set(workspace.id, workspace);
    for (const oldest of this.#gone.keys()) {
      if (this.#gone.size <= GONE_LIMIT) break;
      this.#gone.delete(oldest);
    }
  }

  #publish(type: string, workspace: Workspace): void {
    this.#options.bus.publish({ type, properties: workspace, workspaceID: workspace.id });
  }
}

export function isOwner(workspace: Pick<Workspace, "approver">, approver: string): boolean {
  return workspace.approver === approver || workspace.approver === NOBODY;
}

async function realDirectory(path: string, asked: string): Promise<string> {
  try {
    await using pinned = await pin(path, { directory: true });
    return pinned.real;
  } catch (error) {
    const failure = fileError(error, asked);
    if (failure.code === "ENOENT")
      throw new RemoteError("cwd_missing", `no such directory: ${asked}`, { cause: error });
    throw failure;
  }
}

/** True while the directory is there and can be entered. */
export async function isReachable(workspace: Workspace): Promise<boolean> {
  if (workspace.directory === null) return true;
  let handle: FileHandle | undefined;
  try {
    handle = await open(workspace.directory, "r");
    return (await handle.stat()).isDirectory();
  } catch (error) {
    if (fileError(error, workspace.directory).code === "EMFILE") throw error;
    return false;
  } finally {
    await handle?.close();
  }
}
