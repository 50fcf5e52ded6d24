// How long to wait before a broken stream is looked for again. The link itself waits while it reconnects.

/** The last repeats. */
const DELAYS = [0, 100, 500, 1000];

/** Milliseconds; `failures`: how many there were in a row before this one. */
export function resumeDelay(failures: number): number {
  return DELAYS[Math.min(failures, DELAYS.length - 1)] ?? 1000;
}
