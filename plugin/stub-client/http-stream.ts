// A stream of the link made fit for undici, which was written for sockets. Three traps, all measured (ssh2 channels):
// a request in two packets costs a round trip, a reader that takes all there is costs 350 MB, missing socket methods throw.
import type { Duplex } from "node:stream";

/** undici takes what `read()` gives and puts back what it does not want: at most this much at a time, in bytes. */
const READ_LIMIT = 64 * 1024;

const SOCKET_METHODS = ["setNoDelay", "setKeepAlive", "setTimeout", "ref", "unref"] as const;

type Loose = Duplex & Record<string, unknown>;

/** Adapts the stream in place and gives it back. */
export function httpStream(stream: Duplex): Duplex {
  const loose = stream as Loose;
  for (const name of SOCKET_METHODS) {
    if (typeof loose[name] !== "function") loose[name] = () => stream;
  }
  if (typeof stream._writev !== "function") {
    stream._writev = (chunks, done) => {
      const whole = Buffer.concat(chunks.map(({ chunk, encoding }) => asBuffer(chunk, encoding)));
      stream._write(whole, "buffer" as BufferEncoding, done);
    };
  }
  const read = stream.read.bind(stream);
  stream.read = (size?: number) => read(size ?? (stream.readableLength > READ_LIMIT ? READ_LIMIT : undefined));
  return stream;
}

function asBuffer(chunk: string | Buffer, encoding: BufferEncoding): Buffer {
  return typeof chunk === "string" ? Buffer.from(chunk, encoding) : chunk;
}
