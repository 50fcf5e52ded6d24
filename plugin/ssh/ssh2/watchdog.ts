// Notices a connection that has died without a word: nothing came in for three intervals, though ssh2 sent pings in each.
// Any byte counts: an answer to a ping may stand behind megabytes on a slow link.
import type { Duplex } from "node:stream";

/** With 5 s: dead after 15 s. */
const SILENT_INTERVALS = 3;

export interface Watchdog {
  [Symbol.dispose](): void;
}

/** Counts intervals, not time: after a laptop's sleep the host gets the chance to answer. */
export function startWatchdog(stream: Duplex, intervalMs: number, dead: () => void): Watchdog {
  let heard = false;
  let silent = 0;
  const onData = () => {
    heard = true;
  };
  stream.on("data", onData);
  const timer = setInterval(() => {
    silent = heard ? 0 : silent + 1;
    heard = false;
    if (silent < SILENT_INTERVALS) return;
    stop();
    dead();
  }, intervalMs);
  timer.unref();
  const stop = () => {
    clearInterval(timer);
    stream.removeListener("data", onData);
  };
  return { [Symbol.dispose]: stop };
}
