// What the last connect had to do, for people and tests.
import type { Settled } from "./reach.js";
import type { Way } from "./way.js";

/** Milliseconds. */
export interface ConnectTimings {
  ssh: number;
  /** Probe, upload, start; 0 on the warm path. */
  bootstrap: number;
  total: number;
}

/** What the last connect had to do. */
export interface ConnectReport {
  warm: boolean;
  way: Way;
  /** Install root, absolute. */
  root: string;
  uploaded: boolean;
  started: boolean;
  timings: ConnectTimings;
}

/** `began`, `connected`: by `performance.now()`. */
export function reportOf({ reached, did }: Settled, began: number, connected: number): ConnectReport {
  const now = performance.now();
  const timings = { ssh: connected - began, bootstrap: did.warm ? 0 : now - connected, total: now - began };
  return { ...did, way: reached.way, root: reached.root, timings };
}
