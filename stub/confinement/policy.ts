// What one workspace's commands may reach, as the bytes that every level reads (stub/native/confine/policy.h), and the key under
// which the spawner keeps what it built of them. Equal keys mean equal reach: the key also holds what the bytes do not say, which
// files lie under the names of the base set just now.
import { createHash } from "node:crypto";
import { isWithin } from "../../protocol/paths.js";
import type { Access, Workspace } from "../../protocol/workspace.js";
import type { Surroundings } from "../commands/host-environment.js";
import type { HostFacts } from "../host.js";
import type { Approvals } from "../permission/approvals.js";
import { covers } from "../permission/evaluate.js";
import { type Base, CurrentBase, type CurrentBaseOptions } from "./current-base.js";
import { type BaseReach, entryOf, type Granted, reaches, reachOf } from "./entries.js";
import type { PrivateDirectories } from "./private-directories.js";
import { type RedirectOptions, redirects } from "./redirects.js";

export interface PoliciesOptions {
  approvals: Approvals;
  host: Pick<HostFacts, "home" | "installRoot">;
  /** Canonical paths of what lies in a root and is none of its commands'. */
  masked: string[];
  privateDirectories: PrivateDirectories;
  configHome?: CurrentBaseOptions["configHome"];
}

export interface PolicyWish {
  /** Granted beside the approvals, for one command. */
  lent?: Granted[] | undefined;
  /** The level shows a view: what lies in a root and is none of its can be hidden, and /tmp be the private directory. */
  isView: boolean;
}

export interface Policy {
  bytes: Buffer;
  key: string;
  /** One object for each policy, so that it is encoded once. */
  surroundings: Surroundings;
}

interface Made {
  base: Base;
  signature: string;
  policy: Policy;
}

/** Policies that are remembered: two for each workspace that is in use. */
const REMEMBERED = 64;

export class Policies {
  readonly #options: PoliciesOptions;
  readonly #made = new Map<string, Made>();
  readonly #current: CurrentBase;
  #reach: { base: Base; reach: BaseReach } | undefined;

  constructor(options: PoliciesOptions) {
    this.#options = options;
    this.#current = new CurrentBase({ home: options.host.home, configHome: options.configHome });
  }

  /** As things are now: each approval's identity is compared. A directory that was replaced gives nothing. */
  of(workspace: Workspace, { lent = [], isView }: PolicyWish): Policy {
    const { approvals, privateDirectories } = this.#options;
    const base = this.#current.get();
    const own = privateDirectories.of(workspace.id);
    const granted = [...approvals.standing(workspace.id), ...lent];
    let approved = "";
    let live = "";
    for (const grant of granted) {
      const entry = entryOf(grant);
      if (entry === undefined) continue;
      approved += `${entry.text}\0`;
      live += entry.live;
    }
    const network = workspace.network === false ? "option no-network\0" : "";
    const signature = `${network}${own.identity}\0${approved}${live}`;
    const slot = `${workspace.id} ${isView}${lent.length > 0 ? " lent" : ""}`;
    const known = this.#made.get(slot);
    if (known?.base === base && known.signature === signature) return known.policy;

    const hidden = isView ? this.#hidden(granted) : [];
    const lines = [
      "confine 1",
      ...(network === "" ? [] : ["option no-network"]),
      ...base.entries,
      `rw ${own.identity} ${own.path}`,
      ...(isView ? [`bind ${own.identity} ${own.path} /tmp`, `bind ${own.identity} ${own.path} /var/tmp`] : []),
      ...hidden.map((path) => `hide - ${path}`),
    ];
    const bytes = Buffer.from(`${lines.join("\0")}\0${approved}`);
    const key = createHash("sha256").update(bytes).update(base.identity).update("\0").update(live).digest("hex");
    const policy = { bytes, key, surroundings: this.#surroundings(own.path, granted, isView, base) };
    this.#remember(slot, { base, signature, policy });
    return policy;
  }

  /** Whether every command may do that, whatever is approved. `path` is absolute, as it is written or as it really is. */
  isBase(path: string, access: Access): boolean {
    const base = this.#current.get();
    if (this.#reach?.base !== base) this.#reach = { base, reach: reachOf(base.entries) };
    return reaches(this.#reach.reach, path, access);
  }

  forget(workspaceID: string): void {
    for (const slot of this.#made.keys()) if (slot.startsWith(`${workspaceID} `)) this.#made.delete(slot);
  }

  /** Below a root that was approved as a whole, and not meant. */
  #hidden(granted: Granted[]): string[] {
    return this.#options.masked.filter(
      (path) =>
        granted.some((grant) => grant.kind === "directory" && isWithin(path, grant.path) && grant.path !== path) &&
        !granted.some((grant) => grant.path === path),
    );
  }

  #surroundings(directory: string, granted: Granted[], isView: boolean, { gitConfig }: Base): Surroundings {
    const options: RedirectOptions = {
      directory,
      home: this.#options.host.home,
      isView,
      isRoot: process.getuid?.() === 0,
      gitConfig,
      mayWrite: (path) => granted.some((grant) => covers(grant, path, "write")),
    };
    return { variables: (login) => redirects(login, options) };
  }

  #remember(slot: string, made: Made): void {
    this.#made.delete(slot);
    this.#made.set(slot, made);
    for (const oldest of this.#made.keys()) {
      if (this.#made.size <= REMEMBERED) break;
      this.#made.delete(oldest);
    }
  }
}
