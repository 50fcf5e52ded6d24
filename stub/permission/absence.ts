// An ask that nobody can answer is denied after a while: when no client is connected at all.
import type { Asks } from "./asks.js";

const SWEEP_MS = 5000;

export interface AbsenceOptions {
  asks: Asks;
  /** True while any client holds a connection. */
  connected(): boolean;
  /** Milliseconds without a client after which what is pending is denied. */
  limitMs?: number | undefined;
}

/** Watches until disposed. */
export function denyWhenAbsent({ asks, connected, limitMs = 10 * 60 * 1000 }: AbsenceOptions): Disposable {
  let lastSeen = Date.now();
  const timer = setInterval(
    () => {
      if (connected()) lastSeen = Date.now();
      else if (Date.now() - lastSeen >= limitMs) asks.withdrawAll(() => true, "nobody was there to answer");
    },
    Math.min(SWEEP_MS, limitMs),
  );
  timer.unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
