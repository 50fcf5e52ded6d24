// One process on a terminal of its own: bytes in, bytes out, to the very last one.
import { readSync, writeSync } from "node:fs";
import { ReadStream } from "node:tty";
import { codeOf, RemoteError } from "../../protocol/errors.js";
import type { PtyAddon } from "./addon.js";

export interface PtyProcessOptions {
  /** Looked up on the PATH of `env` where it has no slash. */
  file: string;
  args: string[];
  env: Record<string, string>;
  /** As the child sees it: may be /proc/self/fd/N of this process. */
  cwd: string;
  size: { cols: number; rows: number };
  onData(bytes: Buffer): void;
  /** Once, after the last byte. */
  onExit(exit: PtyExit): void;
  /** Input that had to wait was taken. */
  onDrain?(): void;
}

export interface PtyExit {
  code: number;
  /** 0: none. */
  signal: number;
}

/** Input that its program does not read is tried again after so many milliseconds. */
const WRITE_AGAIN_MS = 10;
/** What is read of a terminal whose first process has ended, at most: others may go on printing. */
const LAST_BYTES = 1024 * 1024;

export class PtyProcess {
  readonly pid: number;
  readonly #addon: PtyAddon;
  readonly #options: PtyProcessOptions;
  readonly #fd: number;
  readonly #stream: ReadStream;
  readonly #input: Buffer[] = [];
  #waiting = 0;
  #again: NodeJS.Timeout | undefined;
  #finished = false;

  /** Throws `spawn_failed`. A program that is not there says so on the terminal and ends with 1. */
  constructor(addon: PtyAddon, options: PtyProcessOptions) {
    this.#addon = addon;
    this.#options = options;
    const { file, args, env, cwd, size } = options;
    const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
    // Out of the addon's callback, which would swallow what is thrown.
    const onExit = (code: number, signal: number) => void setImmediate(() => this.#ended({ code, signal }));
    let started: ReturnType<PtyAddon["fork"]>;
    try {
      started = addon.fork(file, args, variables, cwd, size.cols, size.rows, -1, -1, true, "", onExit);
    } catch (error) {
      throw new RemoteError("spawn_failed", `no terminal could be opened: ${String(error)}`, { cause: error });
    }
    this.#fd = started.fd;
    this.pid = started.pid;
    this.#stream = new ReadStream(started.fd);
    this.#stream.on("data", options.onData);
    // EIO: the last process has left the terminal. What ended is told by `onExit`.
    this.#stream.on("error", () => undefined);
    this.#stream.once("end", () => this.#finish());
  }

  /** Bytes of input that wait for the program. */
  get waiting(): number {
    return this.#waiting;
  }

  write(bytes: Buffer): void {
    if (!this.#open || bytes.length === 0) return;
    this.#input.push(bytes);
    this.#waiting += bytes.length;
    if (this.#again === undefined) this.#push();
  }

  resize(size: { cols: number; rows: number }): void {
    if (this.#open) this.#addon.resize(this.#fd, size.cols, size.rows);
  }

  /** The program waits once the terminal is full. */
  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    if (this.#open) this.#stream.resume();
  }

  /** The descriptor does not block: writing costs a copy, or says EAGAIN. */
  #push(): void {
    this.#again = undefined;
    const before = this.#waiting;
    for (let next = this.#input[0]; next !== undefined && this.#open; next = this.#input[0]) {
      const taken = this.#take(next);
      this.#waiting -= taken;
      if (taken < next.length) {
        this.#input[0] = next.subarray(taken);
        this.#again = setTimeout(() => this.#push(), WRITE_AGAIN_MS);
        break;
      }
      this.#input.shift();
    }
    if (this.#waiting < before) this.#options.onDrain?.();
  }

  #take(bytes: Buffer): number {
    try {
      return writeSync(this.#fd, bytes);
    } catch (error) {
      if (codeOf(error) === "EAGAIN") return 0;
      // EIO: nobody reads here any more.
      return bytes.length;
    }
  }

  #ended(exit: PtyExit): void {
    // A stream that was paused gives what it holds as `data`.
    while (this.#open && this.#stream.read() !== null);
    this.#finish();
    this.#options.onExit(exit);
  }

  /** libuv takes a hangup for the end as soon as a read was short, which on a terminal it always is: the rest is still there. */
  #finish(): void {
    if (this.#open) this.#readRest();
    this.#finished = true;
    this.#stream.destroy();
    clearTimeout(this.#again);
    this.#input.length = 0;
    this.#waiting = 0;
  }

  /** A stream that failed has closed its descriptor at once and tells it later: the number may be another file's by then. */
  get #open(): boolean {
    return !this.#finished && !this.#stream.destroyed;
  }

  #readRest(): void {
    const buffer = Buffer.allocUnsafe(64 * 1024);
    for (let sum = 0; sum < LAST_BYTES; ) {
      const length = readOrNothing(this.#fd, buffer);
      if (length === 0) return;
      sum += length;
      this.#options.onData(Buffer.from(buffer.subarray(0, length)));
    }
  }
}

/** 0 at the end, and where nothing is there just now. */
function readOrNothing(fd: number, buffer: Buffer): number {
  try {
    return readSync(fd, buffer);
  } catch (error) {
    const code = codeOf(error);
    if (code === "EAGAIN" || code === "EIO") return 0;
    throw error;
  }
}
