// Which ended commands have to go: too old, too many, too large together, oldest first. A pure function.
import type { EndedCommand } from "./ended-index.js";

export interface RetentionLimits {
  /** Of all files of ended commands. */
  bytes: number;
  ageMs: number;
  /** Each is a file at least, and an entry in memory. */
  count: number;
}

export const RETENTION: RetentionLimits = { bytes: 1024 ** 3, ageMs: 7 * 24 * 3600 * 1000, count: 20_000 };

/** At most this part of what is free on the file system. */
const FREE_PART = 10;

export function allowedBytes(limit: number, free: number): number {
  return Math.min(limit, Math.floor(free / FREE_PART));
}

/** In the order in which they are to be deleted. */
export function expired(entries: Iterable<EndedCommand>, limits: RetentionLimits, now: number): EndedCommand[] {
  const sorted = [...entries].sort((a, b) => a.ended - b.ended);
  let bytes = sorted.reduce((sum, entry) => sum + entry.bytes, 0);
  let { length } = sorted;
  const gone: EndedCommand[] = [];
  for (const entry of sorted) {
    if (bytes <= limits.bytes && length <= limits.count && now - entry.ended <= limits.ageMs) break;
    gone.push(entry);
    bytes -= entry.bytes;
    length -= 1;
  }
  return gone;
}
