// Streams over the channels of ssh2, made fit for HTTP: a request leaves in one packet, a slow reader holds little in memory,
// a lost connection is an error and never an end. (ssh2's own channels do none of the three.)
import { Duplex, Readable, Writable } from "node:stream";
import type { ClientChannel } from "ssh2";

/** Bytes that a stream holds for a reader; the rest waits in ssh2 (2 MiB a channel) and on the host. */
const HELD = 64 * 1024;

const ignore = () => undefined;

/** A forwarded socket; as with a TCP socket, the end of the one side ends the other. */
export class ChannelSocket extends Duplex {
  readonly #channel: ClientChannel;
  readonly #source: Source;

  constructor(channel: ClientChannel) {
    super({ highWaterMark: HELD, allowHalfOpen: false });
    this.#channel = channel;
    this.#source = new Source(channel, this);
    // told by the transport's onClose as well: a socket that nobody listens to must not end the process
    this.on("error", ignore);
    channel.on("error", (error: Error) => this.destroy(error));
    channel.on("close", () => {
      if (this.readableEnded) this.destroy();
      else this.once("end", () => this.destroy());
    });
  }

  override _read(): void {
    this.#source.more();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#channel.write(chunk, done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    this.#channel.write(Buffer.concat(chunks.map((each) => each.chunk)), done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#channel.end(() => done());
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#channel.close();
    this.#source.drain();
    done(error);
  }

  // what HTTP clients call on a net.Socket
  setNoDelay(): this {
    return this;
  }
  setKeepAlive(): this {
    return this;
  }
  setTimeout(): this {
    return this;
  }
  ref(): this {
    return this;
  }
  unref(): this {
    return this;
  }
}

/** stdout or stderr of an exec channel. */
export class ChannelOutput extends Readable {
  readonly #source: Source;

  constructor(source: Readable) {
    super({ highWaterMark: HELD });
    this.#source = new Source(source, this);
    this.on("error", ignore);
  }

  override _read(): void {
    this.#source.more();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#source.drain();
    done(error);
  }
}

/** stdin of an exec channel. */
export class ChannelInput extends Writable {
  readonly #channel: ClientChannel;

  constructor(channel: ClientChannel) {
    super({ highWaterMark: HELD });
    this.#channel = channel;
    this.on("error", ignore);
    channel.on("error", (error: Error) => this.destroy(error));
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#channel.write(chunk, done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    this.#channel.write(Buffer.concat(chunks.map((each) => each.chunk)), done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#channel.end(() => done());
  }
}

/** Moves what a stream of ssh2 gives into one of ours, and holds it back while ours is full. */
class Source {
  readonly #from: Readable;
  #paused = false;

  constructor(from: Readable, to: Readable) {
    this.#from = from;
    from.on("data", (chunk: Buffer) => {
      if (to.destroyed || to.push(chunk)) return;
      this.#paused = true;
      from.pause();
    });
    from.on("end", () => {
      if (!to.destroyed) to.push(null);
    });
  }

  more(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#from.resume();
  }

  /** ssh2 closes a channel only when all that arrived has been read. */
  drain(): void {
    this.#paused = false;
    this.#from.resume();
  }
}
