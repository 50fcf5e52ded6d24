// Who listens to a terminal. What is printed before anybody does is held for the first, up to a limit.
import type { RunnerPty } from "./runner.js";

const HELD_LIMIT = 2 * 1024 * 1024;

type OnData = Parameters<RunnerPty["onData"]>[0];
type OnExit = Parameters<RunnerPty["onExit"]>[0];

export class PtyListeners {
  readonly #data = new Set<OnData>();
  readonly #exit = new Set<OnExit>();
  #held: { text: string; lost: number } | undefined;
  #exitCode: number | null | undefined;

  data(text: string, lost: number): void {
    if (this.#data.size > 0) {
      for (const listener of this.#data) listener(text, lost);
      return;
    }
    const all = (this.#held?.text ?? "") + text;
    const dropped = Math.max(0, all.length - HELD_LIMIT);
    this.#held = { text: all.slice(dropped), lost: (this.#held?.lost ?? 0) + lost + dropped };
  }

  exit(exitCode: number | null): void {
    this.#exitCode = exitCode;
    for (const listener of this.#exit) listener(exitCode);
  }

  onData(listener: OnData): { [Symbol.dispose](): void } {
    this.#data.add(listener);
    const held = this.#held;
    this.#held = undefined;
    if (held !== undefined) listener(held.text, held.lost);
    return { [Symbol.dispose]: () => void this.#data.delete(listener) };
  }

  /** Told at once where it has ended already. */
  onExit(listener: OnExit): { [Symbol.dispose](): void } {
    this.#exit.add(listener);
    if (this.#exitCode !== undefined) listener(this.#exitCode);
    return { [Symbol.dispose]: () => void this.#exit.delete(listener) };
  }
}
