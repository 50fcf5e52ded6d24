// An ask that nobody will answer any more is denied after a while: when no client is connected at all, or when all requests that
// waited for it have gone and do not come back.
import type { StoreLog } from "../state/store.js";
import type { Asks } from "./asks.js";

const SWEEP_MS = 5000;
export const ASK_TIMEOUT_MS = 10 * 60 * 1000;

export interface AbsenceOptions {
  asks: Asks;
  /** True while any client holds a connection. */
  connected(): boolean;
  /** Milliseconds without a client after which what is pending is denied. */
  limitMs?: number | undefined;
  log: StoreLog;
  /** Milliseconds of a clock that nobody sets. */
  now?: (() => number) | undefined;
}

/** Watches until disposed. */
export function denyWhenAbsent(options: AbsenceOptions): Disposable {
  const { asks, connected, log, limitMs = ASK_TIMEOUT_MS, now = () => performance.now() } = options;
  let lastSeen = now();
  const look = async () => {
    if (connected()) lastSeen = now();
    else if (now() - lastSeen >= limitMs) await asks.withdrawAll(() => true, "nobody was there to answer");
    await asks.sweep(limitMs);
  };
  const timer = setInterval(
    () => void look().catch((error: unknown) => log.warn({ err: error }, "asks could not be looked through")),
    Math.min(SWEEP_MS, limitMs),
  );
  timer.unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
