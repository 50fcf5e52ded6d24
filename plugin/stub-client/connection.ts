// One stream to the stub that carries one request after the other. Opened when it is first needed, and again where it has
// ended meanwhile. A request leaves in one packet: two cost a round trip where Nagle's algorithm is on.
import type { Duplex } from "node:stream";
import { RemoteError } from "../../protocol/errors.js";
import { onAbort } from "../waiting/abort.js";
import { AnswerParser } from "./answer-parser.js";
import { abortedError, type Flow, type HttpRequest, type Receiver } from "./exchange.js";

/** A body up to this many bytes is copied behind its head, to leave with it. */
const COPY_LIMIT = 64 * 1024;
const PATH = /^[\x21-\x7e]+$/;
const VALUE = /^[\t\x20-\x7e]*$/;

export class HttpConnection {
  readonly #open: () => Promise<Duplex>;
  #opening: Promise<Duplex> | undefined;
  #stream: Duplex | undefined;
  /** Of that stream. */
  #parser: AnswerParser | undefined;
  #current: Exchange | undefined;
  #ended: RemoteError | undefined;

  constructor(open: () => Promise<Duplex>) {
    this.#open = open;
  }

  /** Nothing more can be sent: it was closed or destroyed. */
  get ended(): boolean {
    return this.#ended !== undefined;
  }

  /**
   * One at a time. Resolves when the answer has ended. An abort rejects at once with `aborted`, whatever the stream does;
   * a stream that breaks with its own error or `connection_lost`.
   */
  exchange(request: HttpRequest, receiver: Receiver, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#ended !== undefined) return reject(this.#ended);
      if (signal?.aborted) return reject(abortedError(signal));
      const giveUp = () => current.fail(abortedError(signal));
      const current: Exchange = {
        receiver,
        isSent: false,
        isOver: false,
        isPaused: false,
        over: (error) => {
          if (current.isOver) return false;
          current.isOver = true;
          signal?.removeEventListener("abort", giveUp);
          if (this.#current === current) this.#current = undefined;
          if (error === undefined) resolve();
          else reject(error);
          return true;
        },
        // what is left of the answer would be taken for the next one
        fail: (error) => {
          if (current.over(error) && current.isSent) this.#drop();
        },
      };
      this.#current = current;
      if (signal !== undefined) onAbort(signal, giveUp);
      if (this.#stream !== undefined) return this.#send(this.#stream, request, current);
      this.#opened().then(
        (stream) => current.isOver || this.#send(stream, request, current),
        (error: unknown) => current.over(error),
      );
    });
  }

  /** When it is idle: what was sent still leaves. Idempotent. */
  close(): void {
    this.#ended ??= new RemoteError("connection_lost", "the stream is closed");
    const stream = this.#stream;
    stream?.end(() => stream.destroy());
  }

  /** What runs fails. Idempotent. */
  destroy(): void {
    this.#ended ??= new RemoteError("connection_lost", "the stream was closed");
    const current = this.#current;
    this.#drop();
    current?.over(this.#ended);
  }

  #opened(): Promise<Duplex> {
    this.#opening ??= this.#open()
      .then((stream) => {
        if (this.#ended !== undefined) {
          stream.destroy();
          throw this.#ended;
        }
        this.#stream = stream;
        this.#listen(stream);
        return stream;
      })
      .finally(() => {
        this.#opening = undefined;
      });
    return this.#opening;
  }

  #listen(stream: Duplex): void {
    // what was in the same chunk as the reason to let go of the stream is nobody's any more
    const current = () => (stream.destroyed || this.#stream !== stream ? undefined : this.#current);
    const parser = new AnswerParser({
      head: (status, headers) => {
        const reader = current();
        if (reader !== undefined) guard(reader, () => reader.receiver.head({ status, headers }));
      },
      data: (bytes) => {
        const reader = current();
        if (reader !== undefined) guard(reader, () => reader.receiver.data(bytes, this.#flow(stream, reader)));
      },
      end: (keep) => {
        const reader = current();
        if (!keep) this.#drop();
        else if (reader?.isPaused) stream.resume();
        reader?.over();
      },
    });
    this.#parser = parser;
    const broken = (error: Error) => {
      if (this.#stream !== stream) return;
      const current = this.#current;
      this.#drop();
      current?.over(error);
    };
    const lost = () => broken(new RemoteError("connection_lost", "the stream to the stub ended before the answer did"));
    stream.on("data", (chunk: Buffer) => {
      if (this.#stream !== stream) return;
      try {
        parser.feed(chunk);
      } catch (error) {
        if (!(error instanceof SyntaxError)) throw error;
        broken(new RemoteError("connection_lost", `what answers is no stub: ${error.message}`, { cause: error }));
      }
    });
    stream.on("end", () => {
      if (this.#current === undefined || !parser.close()) lost();
    });
    stream.on("close", lost);
    stream.on("error", broken);
    stream.resume();
  }

  #flow(stream: Duplex, current: Exchange): Flow {
    current.flow ??= {
      pause: () => {
        if (current.isOver) return;
        current.isPaused = true;
        stream.pause();
      },
      resume: () => {
        if (current.isOver) return;
        current.isPaused = false;
        stream.resume();
      },
      fail: (error) => current.fail(error),
    };
    return current.flow;
  }

  #send(stream: Duplex, request: HttpRequest, current: Exchange): void {
    current.isSent = true;
    this.#parser?.expect();
    try {
      const packets = encode(request);
      current.receiver.sent?.();
      for (const packet of packets) stream.write(packet);
    } catch (error) {
      current.fail(asError(error));
    }
  }

  #drop(): void {
    const stream = this.#stream;
    this.#stream = undefined;
    this.#current = undefined;
    stream?.destroy();
  }
}

interface Exchange {
  receiver: Receiver;
  /** At least in part: what comes now is its answer. */
  isSent: boolean;
  isOver: boolean;
  isPaused: boolean;
  flow?: Flow;
  /** False where it was over already. */
  over(error?: unknown): boolean;
  fail(error: Error): void;
}

/** Throws RemoteError `invalid_request` for what could be read as something else. */
function encode({ method, path, headers, body }: HttpRequest): (string | Uint8Array)[] {
  if (!PATH.test(path)) throw new RemoteError("invalid_request", "a path with characters that no URL has");
  let head = `${method} ${path} HTTP/1.1\r\nhost: stub\r\n`;
  for (const name in headers) {
    const value = headers[name] as string;
    if (!VALUE.test(value)) throw new RemoteError("invalid_request", `the header ${name} cannot be sent`);
    head += `${name}: ${value}\r\n`;
  }
  if (body === undefined) return [method === "GET" ? `${head}\r\n` : `${head}content-length: 0\r\n\r\n`];
  if (typeof body === "string") return [`${head}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`];
  const start = Buffer.from(`${head}content-length: ${body.length}\r\n\r\n`);
  return body.length <= COPY_LIMIT ? [Buffer.concat([start, body])] : [start, body];
}

/** What a receiver throws is its caller's to hear. */
function guard(current: Exchange, work: () => void): void {
  try {
    work();
  } catch (error) {
    current.fail(asError(error));
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
