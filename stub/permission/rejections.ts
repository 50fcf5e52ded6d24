// What a session's user rejected after a command had failed for it: its next failure for the same path is not asked about again, or a
// model that tries again and again would ask again and again. In memory only: the next stub asks again.
import type { Asks } from "./asks.js";

const SESSIONS = 1000;
/** Of each session, the latest. */
const ASKS = 256;

export class Rejections {
  readonly #asks: Pick<Asks, "find">;
  readonly #told = new Map<string, Set<string>>();

  constructor(asks: Pick<Asks, "find">) {
    this.#asks = asks;
  }

  /** This session was told this ask; its answer comes later, or never. */
  note(sessionID: string, permissionID: string): void {
    const told = this.#told.get(sessionID) ?? new Set();
    told.delete(permissionID);
    told.add(permissionID);
    this.#told.delete(sessionID);
    this.#told.set(sessionID, told);
    dropOldest(told, ASKS);
    dropOldest(this.#told, SESSIONS);
  }

  /** Ids of the asks that its user answered with a rejection. */
  of(sessionID: string): string[] {
    return [...(this.#told.get(sessionID) ?? [])].filter((id) => {
      const entry = this.#asks.find(id);
      return entry?.reply?.reply === "reject" && !entry.withdrawn;
    });
  }
}

function dropOldest<K>(kept: { size: number; keys(): Iterable<K>; delete(key: K): boolean }, limit: number): void {
  for (const oldest of kept.keys()) {
    if (kept.size <= limit) return;
    kept.delete(oldest);
  }
}
