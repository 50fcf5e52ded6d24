// One WebSocket at a terminal: output as text, control frames as bytes, input as either; bounded in both directions.
import type { WebSocket } from "ws";
import { encodeControl, PtyClose, type PtyControl } from "../../protocol/pty.js";

/** Bytes on the way to one client; beyond it the client is sent away and comes back with its cursor. */
const BACKLOG_LIMIT = 12 * 1024 * 1024;
/** For a client that is sent away to take what is still on its way, in milliseconds. */
const FAREWELL_MS = 10_000;

const decoder = new TextDecoder("utf-8", { fatal: true });

export class TerminalClient {
  readonly #socket: WebSocket;
  #backlog = 0;
  #open = true;
  /** Some of the output was taken. */
  onTaken: () => void = () => undefined;
  onInput: (bytes: Buffer) => void = () => undefined;
  /** Once. */
  onGone: () => void = () => undefined;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on("message", (data, isBinary) => {
      const bytes = Buffer.isBuffer(data) ? data : Buffer.concat(Array.isArray(data) ? data : [Buffer.from(data)]);
      if (this.#open && (!isBinary || isText(bytes))) this.onInput(bytes);
    });
    socket.once("close", () => this.#gone());
  }

  /** Bytes that were not taken yet. */
  get backlog(): number {
    return this.#backlog;
  }

  print(text: string): void {
    this.#send(Buffer.from(text), false);
  }

  control(control: PtyControl): void {
    this.#send(encodeControl(control), true);
  }

  /** What is on its way still arrives. Idempotent. */
  end(code: number, reason: string): void {
    if (!this.#open) return;
    this.#gone();
    this.#socket.resume();
    this.#socket.close(code, reason);
    const timer = setTimeout(() => this.#socket.terminate(), FAREWELL_MS);
    this.#socket.once("close", () => clearTimeout(timer));
  }

  holdInput(): void {
    this.#socket.pause();
  }

  releaseInput(): void {
    this.#socket.resume();
  }

  #send(data: Uint8Array, binary: boolean): void {
    if (!this.#open) return;
    this.#backlog += data.length;
    this.#socket.send(data, { binary }, () => {
      this.#backlog -= data.length;
      if (this.#open) this.onTaken();
    });
    if (this.#backlog > BACKLOG_LIMIT) this.end(PtyClose.tooSlow, "takes its output too slowly");
  }

  #gone(): void {
    if (!this.#open) return;
    this.#open = false;
    this.onGone();
  }
}

/** As OpenCode takes it: binary input is text, too. */
function isText(bytes: Buffer): boolean {
  try {
    decoder.decode(bytes);
    return true;
  } catch {
    return false;
  }
}
