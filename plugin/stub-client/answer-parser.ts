// HTTP/1.1 answers as they come in pieces. Ours to write because it stands in the way of every command: a whole HTTP client
// takes longer for a request than SSH does. Knows only what a stub sends: a length, chunks, or neither and the stream's end.
import { type HttpHead, keepsAlive, parseHead } from "../http/head.js";

export interface AnswerEvents {
  /** Lower-case names; a repeated header is its first value. */
  head(status: number, headers: Record<string, string>): void;
  /** A view into what was fed. */
  data(bytes: Uint8Array): void;
  /** The answer is complete. `keep`: the stream may carry another request. */
  end(keep: boolean): void;
}

const HEAD_LIMIT = 64 * 1024;
const LINE_LIMIT = 1024;
const CR_LF_CR_LF = Buffer.from("\r\n\r\n");

type Part =
  | { is: "head" }
  | { is: "length" | "chunk"; left: number }
  | { is: "size" | "chunkEnd" | "trailer" | "untilClose" | "idle" };

/** One at a time: `expect` before each answer. Throws SyntaxError for what is no answer. */
export class AnswerParser {
  readonly #events: AnswerEvents;
  #part: Part = { is: "idle" };
  #keep = true;
  /** The beginning of a head or a line that is not complete. */
  #rest: Buffer | undefined;
  /** The last head: one answer's is often the next one's, but for the date. */
  #head: HttpHead = { status: 0, headers: {} };
  #headText = "";

  constructor(events: AnswerEvents) {
    this.#events = events;
  }

  expect(): void {
    this.#part = { is: "head" };
  }

  feed(fed: Uint8Array): void {
    let bytes = Buffer.from(fed.buffer, fed.byteOffset, fed.byteLength);
    if (this.#rest !== undefined) bytes = Buffer.concat([this.#rest, bytes]);
    this.#rest = undefined;
    let at = 0;
    while (at < bytes.length) {
      const next = this.#take(bytes, at);
      if (next === undefined) {
        this.#rest = Buffer.from(bytes.subarray(at));
        return;
      }
      at = next;
    }
  }

  /** The other side has ended the stream. False where that is in the middle of an answer. */
  close(): boolean {
    if (this.#part.is === "untilClose") this.#end();
    return this.#part.is === "idle";
  }

  /** Where the next part begins; undefined where more is needed. */
  #take(bytes: Buffer, at: number): number | undefined {
    const part = this.#part;
    switch (part.is) {
      case "head":
        return this.#readHead(bytes, at);
      case "length":
      case "chunk": {
        const taken = Math.min(part.left, bytes.length - at);
        part.left -= taken;
        this.#events.data(bytes.subarray(at, at + taken));
        if (part.left === 0 && part.is === "length") this.#end();
        else if (part.left === 0) this.#part = { is: "chunkEnd" };
        return at + taken;
      }
      case "untilClose":
        this.#events.data(bytes.subarray(at));
        return bytes.length;
      case "idle":
        throw new SyntaxError("bytes that nobody asked for");
      default:
        return this.#line(part.is, bytes, at);
    }
  }

  #readHead(bytes: Buffer, at: number): number | undefined {
    const end = bytes.indexOf(CR_LF_CR_LF, at);
    if (end === -1) {
      if (bytes.length - at > HEAD_LIMIT) throw new SyntaxError("a head without an end");
      return undefined;
    }
    const text = bytes.toString("latin1", at, end);
    if (text !== this.#headText) this.#head = parseHead(text);
    this.#headText = text;
    const { status, headers } = this.#head;
    // 100 Continue and its like: the answer is still to come
    if (status < 200) return end + 4;
    this.#keep = keepsAlive(this.#head);
    this.#events.head(status, headers);
    this.#body(status, headers);
    return end + 4;
  }

  #body(status: number, headers: Record<string, string>): void {
    const length = headers["content-length"];
    const encoding = headers["transfer-encoding"];
    if (status === 204 || status === 304) this.#end();
    else if (encoding !== undefined) {
      if (encoding.toLowerCase() !== "chunked") throw new SyntaxError("an unknown transfer-encoding");
      this.#part = { is: "size" };
    } else if (length === undefined) this.#part = { is: "untilClose" };
    else if (!/^\d{1,15}$/.test(length)) throw new SyntaxError("a length that is no number");
    else if (Number(length) === 0) this.#end();
    else this.#part = { is: "length", left: Number(length) };
  }

  #line(part: "size" | "chunkEnd" | "trailer", bytes: Buffer, at: number): number | undefined {
    const end = bytes.indexOf("\r\n", at, "latin1");
    if (end === -1) {
      if (bytes.length - at > LINE_LIMIT) throw new SyntaxError("a line without an end");
      return undefined;
    }
    const line = bytes.toString("latin1", at, end);
    if (part === "chunkEnd") {
      if (line !== "") throw new SyntaxError("a chunk longer than it says");
      this.#part = { is: "size" };
    } else if (part === "size") {
      const size = /^([0-9a-f]{1,12})\s*(?:;.*)?$/i.exec(line)?.[1];
      if (size === undefined) throw new SyntaxError("a chunk without a size");
      const left = Number.parseInt(size, 16);
      this.#part = left === 0 ? { is: "trailer" } : { is: "chunk", left };
    } else if (line === "") this.#end();
    return end + 2;
  }

  #end(): void {
    const keep = this.#keep && this.#part.is !== "untilClose";
    this.#part = { is: "idle" };
    this.#events.end(keep);
  }
}
