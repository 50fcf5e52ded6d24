// Output is read from the log on disk, by live followers and replays alike; what a client has not taken stays there.
import { closeSync, createReadStream, openSync, read, readSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { Readable } from "node:stream";
import { codeOf } from "../../protocol/errors.js";

/** One log, read forward in pieces by one follower. Opens at the first read; `close` is idempotent. */
export class LogReader {
  readonly #path: string;
  #descriptor = -1;
  #reading = false;
  #closed = false;

  constructor(path: string) {
    this.#path = path;
  }

  /** At most `length` bytes from `position` into `target` at `at`; how many came. For what was written a moment ago. */
  readNow(target: Uint8Array, at: number, length: number, position: number): number {
    return readSync(this.#open(), target, at, length, position);
  }

  /** The same without holding up others: for logs that may have to come from the disk. */
  readLater(target: Uint8Array, at: number, length: number, position: number): Promise<number> {
    const descriptor = this.#open();
    this.#reading = true;
    return new Promise((resolve, reject) => {
      read(descriptor, target, at, length, position, (error, count) => {
        this.#reading = false;
        if (this.#closed) this.#release();
        if (error) reject(error);
        else resolve(count);
      });
    });
  }

  close(): void {
    this.#closed = true;
    if (!this.#reading) this.#release();
  }

  #open(): number {
    if (this.#descriptor < 0) this.#descriptor = openSync(this.#path, "r");
    return this.#descriptor;
  }

  #release(): void {
    if (this.#descriptor >= 0) closeSync(this.#descriptor);
    this.#descriptor = -1;
  }
}

/** The bytes of a log from `offset` to its end as it is now. A log that was never made is empty. */
export async function openOutput(path: string, offset: number): Promise<{ stream: Readable; length: number }> {
  let file: FileHandle;
  try {
    file = await open(path, "r");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return { stream: Readable.from([]), length: 0 };
    throw error;
  }
  const { size } = await file.stat();
  const length = Math.max(0, size - offset);
  if (length === 0) {
    await file.close();
    return { stream: Readable.from([]), length: 0 };
  }
  return { stream: createReadStream("", { fd: file, start: offset, end: size - 1, autoClose: true }), length };
}
