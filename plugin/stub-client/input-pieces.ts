// An input cut into the pieces in which it is sent. While one is on its way the next is gathered, so a slow link carries
// large pieces and a person's line leaves at once. No more than one piece waits, and one chunk of the input.
import { orAborted } from "../waiting/abort.js";

export interface InputPiece {
  bytes: Uint8Array;
  /** Nothing comes behind it. */
  end: boolean;
}

/** One round trip carries this much, bytes. */
const PIECE = 1024 * 1024;

export class InputPieces {
  readonly #iterator: AsyncIterator<Uint8Array>;
  readonly #signal: AbortSignal;
  #chunks: Uint8Array[] = [];
  #size = 0;
  #end = false;
  #failure: { error: unknown } | undefined;
  #closed = false;
  /** Something came, or was taken. */
  #wake: () => void = () => undefined;

  /** Reads from now on. Chunks are kept as they are until they were sent. */
  constructor(input: AsyncIterable<Uint8Array>, signal: AbortSignal) {
    this.#iterator = input[Symbol.asyncIterator]();
    this.#signal = signal;
    this.#gather().catch((error: unknown) => {
      this.#failure = { error };
      this.#wake();
    });
  }

  /** One caller at a time. Rejects with what the input threw, once everything before that was taken, or with `aborted`. */
  async next(): Promise<InputPiece> {
    while (this.#size === 0 && !this.#end) {
      if (this.#failure !== undefined) throw this.#failure.error;
      await this.#change();
    }
    const all = this.#chunks.length === 1 ? (this.#chunks[0] as Uint8Array) : Buffer.concat(this.#chunks);
    const bytes = all.subarray(0, PIECE);
    this.#chunks = all.length > PIECE ? [all.subarray(PIECE)] : [];
    this.#size = all.length - bytes.length;
    this.#wake();
    return { bytes, end: this.#end && this.#size === 0 };
  }

  /** Nothing more is read. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#chunks = [];
    this.#wake();
    // One that waits for its next chunk hears of it only then, and how it ends is its own affair: nobody wants its bytes.
    if (!this.#end) this.#iterator.return?.().catch(() => undefined);
  }

  async #gather(): Promise<void> {
    while (!this.#closed) {
      const { value, done } = await this.#iterator.next();
      if (done) {
        this.#end = true;
        return this.#wake();
      }
      if (value.length > 0) this.#chunks.push(value);
      this.#size += value.length;
      this.#wake();
      while (this.#size >= PIECE && !this.#closed) await this.#change();
    }
  }
  /** One of the two sides waits at most: `next` where nothing is there, the gathering where there is enough. */
  #change(): Promise<void> {
    const changed = new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    return orAborted(changed, this.#signal);
  }
}
