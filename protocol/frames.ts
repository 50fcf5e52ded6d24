// The binary frames of a command's output: on the spawner's socket, in `POST /command?follow=1`
// and in `GET /command/:id/output?follow=1`. Chunks are not frames: a reader keeps the rest.
//
//   u32 len   bytes that follow this field (16 + payload)          little endian throughout
//   u32 id    the spawner's number of the command; 0 towards HTTP clients means nothing
//   u8  type  FrameType      u8 stream  0 stdout, 1 stderr         u16 zero
//   u64 offset  of the payload's first byte in its stream, in bytes
//   payload   bytes (output) or UTF-8 JSON (everything else)

export const FRAME_HEADER = 20;

export const FrameType = {
  /** spawner only: u32 helper pid, u32 shell pid, u64 start time of the helper (/proc/PID/stat field 22). */
  started: 0,
  /** bytes of a stream, contiguous per stream. */
  output: 1,
  /** spawner only: the log holds the stream up to `offset`. */
  grew: 2,
  /** the shell has ended. To HTTP clients: JSON `CommandRecord`, always the last frame of a stream. */
  end: 3,
  /** spawner only: nothing ran; UTF-8 JSON {stage, errno}. */
  failed: 4,
  /** spawner only: every descendant has ended, or the kill is confirmed; UTF-8 JSON {survivors: pid[], blocked?, blockedMore?}. */
  settled: 5,
  /** HTTP only: JSON `CommandRecord` as it is now: the first frame, once the command is accepted or found. Not there where `end` leaves at once. */
  record: 6,
  /** HTTP only: JSON `ByteRange`: these bytes of this stream were dropped before they could be sent; the next frame goes on behind them. */
  gap: 7,
  /** spawner only: the helper of this command died before it had settled; i32 wait status. */
  gone: 8,
  /** spawner only: the command asks; its helper listens at base.asks. */
  asks: 9,
  /** HTTP only: JSON `Ask`: the command stands still until it is answered (`POST /permission/:id/reply`). Told on each stream that follows it. */
  ask: 10,
  /** HTTP only: JSON `AskOver`: that ask waits for nobody any more, whoever answered it. */
  askOver: 11,
} as const;
export type FrameType = (typeof FrameType)[keyof typeof FrameType];

export interface Frame {
  id: number;
  type: number;
  stream: 0 | 1;
  offset: number;
  /** A view into the chunk that was read: copy it to keep it. */
  payload: Uint8Array;
}

/** One frame as bytes. `payload` at most 2^32 - 17 bytes. */
export function encodeFrame(frame: Frame): Uint8Array {
  const bytes = new Uint8Array(FRAME_HEADER + frame.payload.length);
  writeFrameHeader(bytes, frame, frame.payload.length);
  bytes.set(frame.payload, FRAME_HEADER);
  return bytes;
}

/** Writes the header of a frame whose payload of `length` bytes stands (or will stand) right behind it. */
export function writeFrameHeader(bytes: Uint8Array, frame: Omit<Frame, "payload">, length: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, FRAME_HEADER);
  view.setUint32(0, FRAME_HEADER - 4 + length, true);
  view.setUint32(4, frame.id, true);
  view.setUint8(8, frame.type);
  view.setUint8(9, frame.stream);
  view.setUint16(10, 0, true);
  view.setBigUint64(12, BigInt(frame.offset), true);
}

/** A reader to be fed with chunks; calls `onFrame` for each whole frame. Throws RangeError on a frame over `limit` bytes. */
export function frameReader(onFrame: (frame: Frame) => void, limit = 16 * 1024 * 1024): (chunk: Uint8Array) => void {
  let rest: Uint8Array | undefined;
  return (chunk) => {
    let bytes = chunk;
    if (rest !== undefined) {
      bytes = new Uint8Array(rest.length + chunk.length);
      bytes.set(rest);
      bytes.set(chunk, rest.length);
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let at = 0;
    while (bytes.length - at >= 4) {
      const length = view.getUint32(at, true);
      if (length < FRAME_HEADER - 4 || length > limit) throw new RangeError(`frame of ${length} bytes`);
      if (bytes.length - at < 4 + length) break;
      onFrame({
        id: view.getUint32(at + 4, true),
        type: view.getUint8(at + 8),
        stream: view.getUint8(at + 9) === 1 ? 1 : 0,
        offset: Number(view.getBigUint64(at + 12, true)),
        payload: bytes.subarray(at + FRAME_HEADER, at + 4 + length),
      });
      at += 4 + length;
    }
    rest = at < bytes.length ? bytes.slice(at) : undefined;
  };
}
