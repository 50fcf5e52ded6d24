// Asks on the disk, so that the next stub goes on with them: nobody is asked twice, and no answer is used twice.
import { type Static, Type } from "typebox";
import { Ask, AskedPath, PermissionReply } from "../../protocol/permission.js";
import type { Workspace } from "../../protocol/workspace.js";
import type { JsonStore, StoreLog } from "../state/store.js";
import { type Entry, newEntry, type Question } from "./question.js";

const Kind = Type.Union([Type.Literal("directory"), Type.Literal("file")]);

/** One file per ask. */
export const KeptAsk = Type.Object({
  ask: Ask,
  paths: Type.Array(
    Type.Object({ ...AskedPath.properties, always: Type.Object({ path: Type.String(), kind: Kind }) }),
    { minItems: 1 },
  ),
  told: Type.Boolean(),
  waited: Type.Boolean(),
  carries: Type.Array(Type.String()),
  reply: Type.Optional(PermissionReply),
});
export type KeptAsk = Static<typeof KeptAsk>;

export interface AsksOnDiskOptions {
  store: JsonStore<typeof KeptAsk>;
  workspace(id: string): Workspace | undefined;
  log: StoreLog;
}

export class AsksOnDisk {
  readonly #options: AsksOnDiskOptions;

  constructor(options: AsksOnDiskOptions) {
    this.#options = options;
  }

  /** What an earlier stub kept, but for what belongs to no workspace any more. */
  load(now: number): Entry[] {
    const entries: Entry[] = [];
    for (const kept of this.#options.store.values()) {
      const workspace = this.#options.workspace(kept.ask.workspaceID);
      if (workspace === undefined) void this.#drop(kept.ask.id);
      else entries.push(restored(kept, workspace, now));
    }
    return entries;
  }

  has(entry: Entry): boolean {
    return this.#options.store.get(entry.ask.id) !== undefined;
  }

  /** Throws why it could not be kept. */
  save({ ask, question, told, waited, carries, reply }: Entry): Promise<void> {
    const kept: KeptAsk = { ask, paths: question.paths, told, waited, carries: [...carries] };
    return this.#options.store.set(ask.id, reply === undefined ? kept : { ...kept, reply });
  }

  /** As pending again, after its answer could not be kept. */
  async savePending(entry: Entry): Promise<void> {
    await this.save(entry).catch((error: unknown) => {
      this.#options.log.warn(
        { err: error, permissionID: entry.ask.id },
        "the next stub will not know this ask as pending",
      );
    });
  }

  /** Throws why it stays. */
  async delete(entry: Entry): Promise<void> {
    await this.#options.store.delete(entry.ask.id);
  }

  /** Where it stays all the same it is asked, or kept, once more than needed. */
  async forget(entry: Entry): Promise<void> {
    await this.#drop(entry.ask.id);
  }

  async #drop(id: string): Promise<void> {
    await this.#options.store.delete(id).catch((error: unknown) => {
      this.#options.log.warn({ err: error }, "an ask that is over stays on disk");
    });
  }
}

function restored({ ask, paths, told, waited, carries, reply }: KeptAsk, workspace: Workspace, now: number): Entry {
  const { sessionID, permission, command, reason } = ask;
  const asked = paths as Question["paths"];
  const question: Question = { workspace, sessionID, permission, paths: asked, command, reason };
  const entry = Object.assign(newEntry(ask, question, now), { told, waited, carries: new Set(carries), reply });
  if (reply !== undefined) entry.settle(reply);
  return entry;
}
