// What a terminal printed last, and how much it printed in all: a client that comes back gets what it missed.
// Counted in UTF-16 units of the text, as OpenCode's clients count (docs/protocol.md, "Terminals").

/** Units that are kept at least, where so many were printed. */
const LIMIT = 2 * 1024 * 1024;
/** Small pieces are joined up to this length. */
const PIECE = 16 * 1024;

export class Scrollback {
  readonly #limit: number;
  #pieces: string[] = [];
  #length = 0;
  #cursor = 0;

  constructor(limit = LIMIT) {
    this.#limit = limit;
  }

  /** Units printed in all. */
  get cursor(): number {
    return this.#cursor;
  }

  /** `text` must not begin or end within a surrogate pair. */
  append(text: string): void {
    const last = this.#pieces.length - 1;
    if (last >= 0 && (this.#pieces[last] as string).length + text.length <= PIECE) this.#pieces[last] += text;
    else this.#pieces.push(text);
    this.#length += text.length;
    this.#cursor += text.length;
    let dropped = 0;
    for (const { length } of this.#pieces) {
      if (this.#length - length < this.#limit) break;
      this.#length -= length;
      dropped += 1;
    }
    if (dropped > 0) this.#pieces = this.#pieces.slice(dropped);
  }

  /** What was printed behind `cursor`, as far as it is kept; all that is kept for 0, nothing for -1. */
  since(cursor: number): string {
    if (cursor < 0 || cursor >= this.#cursor) return "";
    const skip = Math.max(0, cursor - (this.#cursor - this.#length));
    return this.#pieces.join("").slice(skip);
  }
}

/** In pieces of at most `size` units; no pair of surrogates is torn apart. */
export function* cut(text: string, size = 64 * 1024): Generator<string> {
  for (let from = 0; from < text.length; ) {
    let to = Math.min(from + size, text.length);
    if (to < text.length && isHighSurrogate(text.charCodeAt(to - 1))) to -= 1;
    yield text.slice(from, to);
    from = to;
  }
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}
