// What a person reads while a tunnel comes up, one line at a time.
import type { RunnerProgress } from "../runner/runner.js";
import type { TunnelState } from "./state.js";

export type ProgressListener = (progress: RunnerProgress) => void;

export class Progress {
  readonly #listeners = new Set<ProgressListener>();

  listen(listener: ProgressListener): { [Symbol.dispose](): void } {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) };
  }

  tell(progress: RunnerProgress): void {
    for (const listener of [...this.#listeners]) listener(progress);
  }
}

export function describeState(host: string, state: TunnelState): string {
  switch (state.name) {
    case "idle":
      return `closed the connection to ${host}`;
    case "connecting":
      return `connecting to ${host}…`;
    case "bootstrapping":
      return `looking for the stub on ${host}…`;
    case "ready":
      return `connected to ${host}`;
    case "reconnecting":
      return `reconnecting to ${host}… (attempt ${state.attempt}: ${state.reason})`;
    case "failed":
      return `${host}: ${state.error.message}`;
  }
}
