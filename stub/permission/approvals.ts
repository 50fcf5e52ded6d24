// What was granted, per workspace, kept across restarts. Each approval is bound to a directory's identity (dev, ino), so that
// a directory which was moved away and replaced (by a link, or by another directory of the same name) asks again.
import { lstatSync } from "node:fs";
import { dirname } from "node:path";
import { type Static, Type } from "typebox";
import { codeOf, RemoteError } from "../../protocol/errors.js";
import { newID, PermissionID } from "../../protocol/ids.js";
import { isWithin } from "../../protocol/paths.js";
import { type Access, Approval } from "../../protocol/workspace.js";
import type { Granted } from "../confinement/entries.js";
import type { JsonStore } from "../state/store.js";
import { covers } from "./evaluate.js";

const Kept = Type.Object({
  ...Approval.properties,
  id: PermissionID,
  kind: Type.Union([Type.Literal("directory"), Type.Literal("file")]),
  /** The directory whose identity is `dev` and `ino`: the path itself, else its nearest ancestor that existed. */
  anchor: Type.String(),
});
type Kept = Static<typeof Kept>;

/** One file per workspace. */
export const KeptApprovals = Type.Array(Kept);

export interface Grant {
  /** Canonical real path. */
  path: string;
  access: Access;
  kind: "directory" | "file";
  source: Approval["source"];
}

export interface ApprovalsOptions {
  /** What an approval of a directory around it does not give: our own files, and the keys that lead to other hosts. Canonical. */
  masked?: string[];
  /** The private directory of a workspace, always its own. */
  own?: (workspaceID: string) => string;
}

export class Approvals {
  readonly #store: JsonStore<typeof KeptApprovals>;
  readonly #options: ApprovalsOptions;
  /** Approved for as long as one command lives, never saved: private temporary directories. */
  readonly #passing = new Map<string, Set<string>>();

  constructor(store: JsonStore<typeof KeptApprovals>, options: ApprovalsOptions = {}) {
    this.#store = store;
    this.#options = options;
  }

  /** `path` is a canonical real path. */
  allows(workspaceID: string, path: string, access: Access): boolean {
    const { masked = [], own } = this.#options;
    const mask = masked.find((each) => isWithin(path, each));
    for (const kept of this.#store.get(workspaceID) ?? []) {
      if (mask !== undefined && !isWithin(kept.path, mask)) continue;
      if (covers(kept, path, access) && isStillThere(kept)) return true;
    }
    if (own !== undefined && isWithin(path, own(workspaceID))) return true;
    for (const directory of this.#passing.get(workspaceID) ?? []) {
      if (covers({ path: directory, access: "write", kind: "directory" }, path, access)) return true;
    }
    return false;
  }

  /** What holds now, each with the identity that was compared; not what is lent, which is one command's and may go at any time. */
  *standing(workspaceID: string): Iterable<Granted> {
    for (const kept of this.#store.get(workspaceID) ?? []) {
      if (!isStillThere(kept)) continue;
      const { path, access, kind, anchor, dev, ino } = kept;
      yield { path, access, kind, identity: kind === "directory" && anchor === path ? `${dev}:${ino}` : undefined };
    }
  }

  list(workspaceID: string): Approval[] {
    return (this.#store.get(workspaceID) ?? []).map(({ kind: _kind, anchor: _anchor, ...approval }) => approval);
  }

  /** Keeps these; one that is there already (same path, kind and access, still valid) is not doubled. */
  async add(workspaceID: string, grants: Grant[]): Promise<void> {
    const before = this.#store.get(workspaceID) ?? [];
    const valid = before.filter(isStillThere);
    const added: Kept[] = [];
    for (const grant of grants) {
      const same = (kept: Kept) => kept.path === grant.path && kept.kind === grant.kind && kept.access === grant.access;
      if ([...valid, ...added].some(same)) continue;
      added.push({ ...grant, id: newID("per"), ...identityFor(grant), time: { created: Date.now() } });
    }
    if (added.length > 0) await this.#store.set(workspaceID, [...before, ...added]);
  }

  /** Throws `permission_unknown`. Returns what was taken back. */
  async revoke(workspaceID: string, id: string): Promise<Approval> {
    const kept = this.#store.get(workspaceID) ?? [];
    const found = kept.find((approval) => approval.id === id);
    if (found === undefined) throw new RemoteError("permission_unknown", `no approval ${id} in ${workspaceID}`);
    await this.#store.set(
      workspaceID,
      kept.filter((approval) => approval.id !== id),
    );
    return found;
  }

  async forget(workspaceID: string): Promise<void> {
    this.#passing.delete(workspaceID);
    if (this.#store.get(workspaceID) !== undefined) await this.#store.delete(workspaceID);
  }

  workspaceIDs(): string[] {
    return this.#store.ids();
  }

  /** Approves a directory of ours until disposed. */
  lend(workspaceID: string, directory: string): Disposable {
    const lent = this.#passing.get(workspaceID) ?? new Set();
    this.#passing.set(workspaceID, lent.add(directory));
    return {
      [Symbol.dispose]: () => {
        lent.delete(directory);
        if (lent.size === 0 && this.#passing.get(workspaceID) === lent) this.#passing.delete(workspaceID);
      },
    };
  }
}

function identityFor(grant: Grant): Pick<Kept, "anchor" | "dev" | "ino"> {
  let anchor = grant.kind === "directory" ? grant.path : dirname(grant.path);
  for (;;) {
    const found = identityOf(anchor);
    if (found !== undefined) return { anchor, ...found };
    anchor = dirname(anchor);
  }
}

function isStillThere(kept: Kept): boolean {
  const now = identityOf(kept.anchor);
  return now !== undefined && now.dev === kept.dev && now.ino === kept.ino;
}

function identityOf(path: string): { dev: string; ino: string } | undefined {
  try {
    const { dev, ino } = lstatSync(path, { bigint: true });
    return { dev: String(dev), ino: String(ino) };
  } catch (error) {
    const code = codeOf(error);
    if (code === "ENOENT" || code === "ENOTDIR" || code === "EACCES") return undefined;
    throw error;
  }
}
