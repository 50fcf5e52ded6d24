// What is not as it should be and does not stop the stub: told in GET /global/health, in one place.
import type { Problem } from "../protocol/health.js";

/** Looked at each time somebody asks. */
export type ProblemSource = () => Problem[] | Promise<Problem[]>;

/** More of one list than this say nothing new. */
const LIMIT = 50;

export class Problems {
  readonly #found: Problem[] = [];
  readonly #sources: ProblemSource[] = [];

  /** Stays until the stub ends. */
  add(problem: Problem): void {
    if (this.#found.length < LIMIT) this.#found.push(problem);
  }

  watch(source: ProblemSource): void {
    this.#sources.push(source);
  }

  async list(): Promise<Problem[]> {
    const seen = await Promise.all(this.#sources.map((source) => source()));
    return [...this.#found, ...seen.flat()].slice(0, LIMIT);
  }
}
