// Which byte of a log is where: arithmetic only. A plain log has each byte at its own offset. One that has reached its cap
// keeps its first `head` bytes, and the newest in a ring behind them; what lies between is gone.
import type { ByteRange } from "../../protocol/command.js";
import type { Marks } from "./marks.js";

/** A run of bytes in the file, or one that is gone. */
export type Place = { position: number; length: number } | { hole: ByteRange };

/** What begins at `offset`, as long as it is in one piece. Behind the end: nothing, or (plain) what may come. */
export function placeOf(marks: Marks | undefined, offset: number): Place {
  if (marks === undefined) return { position: offset, length: Number.POSITIVE_INFINITY };
  const { head, ring, floor, end } = marks;
  if (offset < head) return { position: offset, length: Math.min(head, end) - offset };
  if (offset < floor) return { hole: { first: offset, last: floor - 1 } };
  if (offset >= end) return { position: head, length: 0 };
  const at = (offset - head) % ring;
  return { position: head + at, length: Math.min(end - offset, ring - at) };
}

/** How many of `count` bytes that were read at `offset` were still in their place by the time of `marks`. */
export function stillThere(marks: Marks | undefined, offset: number, count: number): number {
  if (marks === undefined || offset >= marks.floor) return count;
  return Math.max(0, Math.min(count, marks.head - offset));
}

export function holeOf(marks: Marks | undefined): ByteRange | null {
  if (marks === undefined || marks.floor <= marks.head) return null;
  return { first: marks.head, last: marks.floor - 1 };
}
