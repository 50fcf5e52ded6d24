// GET /command/:id/output without follow: the bytes that are there now, up to the next hole.
import { Readable } from "node:stream";
import type { ByteRange } from "../../protocol/command.js";
import { RemoteError } from "../../protocol/errors.js";
import type { LogReader } from "./log-reader.js";

const PIECE = 64 * 1024;

export interface Output {
  stream: Readable;
  length: number;
  /** What the log has lost behind these bytes. */
  hole: ByteRange | undefined;
}

/** From `offset` to `end`, or to the hole before it. Throws `output_dropped` for an offset inside of one. Closes `log`. */
export function openOutput(log: LogReader, offset: number, end: number): Output {
  if (offset >= end) return { stream: Readable.from([]), length: 0, hole: undefined };
  const hole = log.hole();
  if (hole !== null && offset >= hole.first && offset <= hole.last) {
    log.close();
    throw dropped(hole);
  }
  const isAhead = hole !== null && offset < hole.first;
  const until = isAhead ? Math.min(end, hole.first) : end;
  const stream = Readable.from(pieces(log, offset, until), { objectMode: false });
  stream.once("close", () => log.close());
  return { stream, length: until - offset, hole: isAhead ? hole : undefined };
}

/** Breaks off where the bytes were overwritten while the client was slow: the next request is told. */
async function* pieces(log: LogReader, from: number, until: number): AsyncGenerator<Uint8Array> {
  for (let at = from; at < until; ) {
    const buffer = Buffer.allocUnsafe(Math.min(PIECE, until - at));
    const piece = await log.readLater(buffer, 0, buffer.length, at);
    if (typeof piece !== "number") throw dropped(piece);
    if (piece === 0) throw new RemoteError("EIO", "the log is shorter than its record says");
    yield buffer.subarray(0, piece);
    at += piece;
  }
}

function dropped(hole: ByteRange): RemoteError {
  return new RemoteError("output_dropped", `the log does not hold bytes ${hole.first} to ${hole.last}`, {
    details: hole,
  });
}
