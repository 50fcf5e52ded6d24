// What was answered `once` after a command had failed for it: good for the same command in the same session, one time, and for a
// while. In memory only: the next stub asks again.
import type { AskedPath } from "../../protocol/permission.js";

const LIMIT = 1000;
const KEPT_MS = 30 * 60 * 1000;

interface Kept {
  grants: AskedPath[];
  until: number;
}

export class Reruns {
  readonly #kept = new Map<string, Kept>();
  readonly #now: () => number;

  /** `now`: milliseconds of a clock that nobody sets. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  get isEmpty(): boolean {
    return this.#kept.size === 0;
  }

  /** `fingerprint` says what the command is, in which session (commands/fingerprint.ts). */
  keep(fingerprint: string, grants: AskedPath[]): void {
    this.#kept.delete(fingerprint);
    this.#kept.set(fingerprint, { grants, until: this.#now() + KEPT_MS });
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= LIMIT) break;
      this.#kept.delete(oldest);
    }
  }

  find(fingerprint: string): AskedPath[] {
    const kept = this.#kept.get(fingerprint);
    return kept === undefined || kept.until < this.#now() ? [] : kept.grants;
  }

  /** It runs: the next one asks. */
  use(fingerprint: string): void {
    this.#kept.delete(fingerprint);
  }
}
