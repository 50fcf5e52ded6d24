// Waiting that can be given up: a signal's reason as our error, and a time limit beside the caller's signal.
import { setMaxListeners } from "node:events";
import { RemoteError } from "../../protocol/errors.js";

/** `signal`, or after `ms` a signal whose reason is `timeout` with this message. */
export function withTimeout(signal: AbortSignal | undefined, ms: number, message: string): Deadline {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(new RemoteError("timeout", message)), ms);
  const signals = signal === undefined ? [controller.signal] : [signal, controller.signal];
  return { signal: AbortSignal.any(signals), [Symbol.dispose]: () => clearTimeout(timer) };
}

export interface Deadline {
  signal: AbortSignal;
  [Symbol.dispose](): void;
}

/** Calls `listener` when the signal aborts. One signal stands for any number of calls: Node is not to warn of a leak. */
export function onAbort(signal: AbortSignal, listener: (event: Event) => void): void {
  setMaxListeners(0, signal);
  signal.addEventListener("abort", listener, { once: true });
}

/** Why a signal was aborted, as a RemoteError: its own where it is one, else `aborted`. */
export function abortError(signal: AbortSignal): RemoteError {
  const reason: unknown = signal.reason;
  return reason instanceof RemoteError ? reason : new RemoteError("aborted", "aborted", { cause: reason });
}

export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortError(signal);
}

/** The promise's outcome, or a rejection when the signal aborts first. What the promise started is not ended by this. */
export function orAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  if (signal.aborted) {
    promise.catch(ignoreLate);
    return Promise.reject(abortError(signal));
  }
  return new Promise<T>((resolve, reject) => {
    const giveUp = () => reject(abortError(signal));
    onAbort(signal, giveUp);
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", giveUp));
  });
}

/** Resolves after `ms`; rejects when the signal aborts first. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const elapsed = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  return orAborted(elapsed, signal).finally(() => clearTimeout(timer));
}

function ignoreLate(): void {
  // Nobody waits for this outcome any more.
}
