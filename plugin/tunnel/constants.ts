// Heartbeat and retry of the tunnel, together. Keepalive of the SSH connection itself is the transport's (5 s, dead after 15 s).

/** Default for the first health answer of a stub. */
export const HEALTH_TIMEOUT_MS = 5_000;
/** Pauses between attempts to reconnect: the first at once, then doubling up to the last. */
export const RECONNECT_FIRST_MS = 250;
export const RECONNECT_MAX_MS = 10_000;
/** After a refused authentication nothing connects for this long, doubling each time: repeated failures lock accounts. */
export const AUTH_HOLD_FIRST_MS = 60_000;
export const AUTH_HOLD_MAX_MS = 15 * 60_000;
/** A proved stream that nobody took is not handed out after this long: the stub may have ended it. */
export const SPARE_STREAM_MS = 4_000;
/** The head of an answer to our own two requests is never longer, bytes. */
export const ANSWER_MAX = 64 * 1024;

/** Milliseconds before attempt number `attempt` (the first is 1). `random` is in [0, 1): a tenth up or down. */
export function reconnectDelay(attempt: number, random: number = Math.random()): number {
  if (attempt <= 1) return 0;
  const full = Math.min(RECONNECT_MAX_MS, RECONNECT_FIRST_MS * 2 ** Math.min(attempt - 2, 16));
  return Math.round(full * (0.9 + 0.2 * random));
}

/** Milliseconds of rest after the `failures`-th refused authentication in a row. */
export function authHold(failures: number): number {
  return Math.min(AUTH_HOLD_MAX_MS, AUTH_HOLD_FIRST_MS * 2 ** Math.min(failures - 1, 16));
}
