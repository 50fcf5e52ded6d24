// What is kept of a command's output while it runs: the end of it, in bounded memory, both streams as they came.

/** Characters that the UI shows of it. */
const PREVIEW = 30_000;

export class OutputTail {
  readonly #limit: number;
  readonly #decoders = { stdout: new TextDecoder("utf-8"), stderr: new TextDecoder("utf-8") };
  #pieces: { text: string; bytes: number }[] = [];
  #kept = 0;
  #preview = "";
  /** True when the beginning was dropped. */
  dropped = false;

  /** `limit`: bytes to keep. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  add(stream: "stdout" | "stderr", data: Uint8Array): string {
    return this.#push(this.#decoders[stream].decode(data, { stream: true }));
  }

  /** Bytes of a character that was cut off at the end become U+FFFD, as in the built-in. */
  end(): string {
    return this.#push(this.#decoders.stdout.decode()) + this.#push(this.#decoders.stderr.decode());
  }

  #push(text: string): string {
    if (text === "") return text;
    const bytes = Buffer.byteLength(text);
    this.#pieces.push({ text, bytes });
    this.#kept += bytes;
    while (this.#kept > this.#limit && this.#pieces.length > 1) {
      this.#kept -= this.#pieces.shift()?.bytes ?? 0;
      this.dropped = true;
    }
    const joined = this.#preview + text;
    this.#preview = joined.length > PREVIEW * 2 ? joined.slice(-PREVIEW * 2) : joined;
    return text;
  }

  text(): string {
    return this.#pieces.map((piece) => piece.text).join("");
  }

  preview(): string {
    return shorten(this.#preview);
  }
}

/** The last 30,000 characters, marked where something came before them. */
export function shorten(text: string): string {
  return text.length <= PREVIEW ? text : `...\n\n${text.slice(-PREVIEW)}`;
}
