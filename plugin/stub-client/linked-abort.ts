// A controller that others can abort too. `AbortSignal.any` does the same, and costs more than a request's way through SSH.
import { onAbort } from "../waiting/abort.js";

export interface LinkedAbort {
  signal: AbortSignal;
  abort(reason?: unknown): void;
  /** Lets go of the others. */
  [Symbol.dispose](): void;
}

export function linkAbort(...others: (AbortSignal | undefined)[]): LinkedAbort {
  const controller = new AbortController();
  const follow = (event: Event) => controller.abort((event.target as AbortSignal).reason);
  for (const other of others) {
    if (other?.aborted) controller.abort(other.reason);
    else if (other !== undefined) onAbort(other, follow);
  }
  return {
    signal: controller.signal,
    abort: (reason) => controller.abort(reason),
    [Symbol.dispose]() {
      for (const other of others) other?.removeEventListener("abort", follow);
    },
  };
}
