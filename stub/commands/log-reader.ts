// Output is read from the log on disk, by live followers and replays alike; what a client has not taken stays there.
// The helper may overwrite what is being read (extent.ts): so the marks are read behind the bytes, and decide whether they count.
import { closeSync, openSync, read, readSync } from "node:fs";
import type { ByteRange } from "../../protocol/command.js";
import { codeOf } from "../../protocol/errors.js";
import { holeOf, type Place, placeOf, stillThere } from "./extent.js";
import { SUFFIX } from "./files.js";
import { type Marks, readMarks } from "./marks.js";

/** How many bytes came (0 behind the end), or which ones from the wanted one on are gone. */
export type Piece = number | ByteRange;

/** One log, read by one reader, one read at a time. Opens at the first; `close` is idempotent. */
export class LogReader {
  readonly #base: string;
  readonly #stream: 0 | 1;
  #log = -1;
  #record = -1;
  #marks: Marks | undefined;
  #reading = false;
  #closed = false;

  constructor(base: string, stream: 0 | 1) {
    this.#base = base;
    this.#stream = stream;
  }

  /** At most `length` bytes from `offset` of the stream into `target` at `at`. For what was written a moment ago. */
  readNow(target: Uint8Array, at: number, length: number, offset: number): Piece {
    for (;;) {
      const place = placeOf(this.#marks, offset);
      const isOpen = this.#open();
      const count =
        isOpen && "position" in place
          ? readSync(this.#log, target, at, Math.min(length, place.length), place.position)
          : 0;
      const piece = this.#judge(place, offset, count);
      if (piece !== undefined) return piece;
    }
  }

  /** The same without holding up others: for logs that may have to come from the disk. */
  async readLater(target: Uint8Array, at: number, length: number, offset: number): Promise<Piece> {
    this.#reading = true;
    try {
      for (;;) {
        const place = placeOf(this.#marks, offset);
        const isOpen = this.#open();
        const count =
          isOpen && "position" in place
            ? await readAsync(this.#log, target, at, Math.min(length, place.length), place.position)
            : 0;
        const piece = this.#judge(place, offset, count);
        if (piece !== undefined) return piece;
      }
    } finally {
      this.#reading = false;
      if (this.#closed) this.#release();
    }
  }

  /** What is gone by now; null: nothing. */
  hole(): ByteRange | null {
    this.#open();
    return holeOf(readMarks(this.#record, this.#stream));
  }

  close(): void {
    this.#closed = true;
    if (!this.#reading) this.#release();
  }

  /** Undefined: the log has changed its shape since; look again. */
  #judge(place: Place, offset: number, count: number): Piece | undefined {
    const before = this.#marks;
    this.#marks = readMarks(this.#record, this.#stream);
    const good = stillThere(this.#marks, offset, count);
    if (good > 0) return good;
    const now = placeOf(this.#marks, offset);
    if ("hole" in now) return now.hole;
    if (now.length === 0) return 0;
    const looked = "position" in place && place.length > 0;
    const isSame = looked && place.position === now.position && (before === undefined) === (this.#marks === undefined);
    return isSame ? 0 : undefined;
  }

  /** False where nothing was ever printed, or could be kept. */
  #open(): boolean {
    if (this.#record < 0) this.#record = openSync(this.#base + SUFFIX.run, "r");
    if (this.#log >= 0) return true;
    try {
      this.#log = openSync(this.#base + (this.#stream === 0 ? SUFFIX.stdout : SUFFIX.stderr), "r");
      return true;
    } catch (error) {
      if (codeOf(error) === "ENOENT") return false;
      throw error;
    }
  }

  #release(): void {
    for (const descriptor of [this.#log, this.#record]) if (descriptor >= 0) closeSync(descriptor);
    this.#log = -1;
    this.#record = -1;
  }
}

function readAsync(
  descriptor: number,
  target: Uint8Array,
  at: number,
  length: number,
  position: number,
): Promise<number> {
  return new Promise((resolve, reject) => {
    read(descriptor, target, at, length, position, (error, count) => (error ? reject(error) : resolve(count)));
  });
}
