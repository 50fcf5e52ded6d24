// Lines of a file from its bytes, in bounded memory: what is shown is kept, the rest is only counted.

const LINE_CHARACTERS = 2000;
const LINE_SUFFIX = `... (line truncated to ${LINE_CHARACTERS} chars)`;
/** Enough bytes for 2000 characters of any kind. */
const LINE_BYTES = LINE_CHARACTERS * 4;
const SHOWN_BYTES = 50 * 1024;
const NEWLINE = 10;
const RETURN = 13;

export interface LineWindow {
  lines: string[];
  totalLines: number;
  truncated: "lines" | "bytes" | null;
}

/** Feed it the file's bytes in order, then take `result`. `first` counts from 1. */
export class LineReader {
  readonly #first: number;
  readonly #limit: number;
  readonly #lines: string[] = [];
  #bytes = 0;
  #truncated: LineWindow["truncated"] = null;
  #number = 1;
  /** The unfinished line: its first bytes, and whether it has any at all. */
  #part: Buffer[] = [];
  #partLength = 0;

  constructor(first: number, limit: number) {
    this.#first = first;
    this.#limit = limit;
  }

  push(chunk: Buffer): void {
    let from = 0;
    for (;;) {
      const at = chunk.indexOf(NEWLINE, from);
      if (at < 0) break;
      // Nearly every line is whole in its chunk: nothing has to be kept of it.
      if (this.#partLength === 0 && at - from <= LINE_BYTES) this.#endLine(chunk, from, at);
      else {
        this.#keep(chunk.subarray(from, at));
        this.#endPart();
      }
      from = at + 1;
    }
    if (from < chunk.length) this.#keep(chunk.subarray(from));
  }

  result(): LineWindow {
    if (this.#partLength > 0) this.#endPart();
    return { lines: this.#lines, totalLines: this.#number - 1, truncated: this.#truncated };
  }

  #keep(bytes: Buffer): void {
    const kept = Math.min(this.#partLength, LINE_BYTES);
    if (this.#wanted() && kept < LINE_BYTES) this.#part.push(Buffer.from(bytes.subarray(0, LINE_BYTES - kept)));
    this.#partLength += bytes.length;
  }

  #endPart(): void {
    const kept = this.#part.length === 1 ? (this.#part[0] as Buffer) : Buffer.concat(this.#part);
    this.#endLine(kept, 0, kept.length, this.#partLength > LINE_BYTES);
    this.#part = [];
    this.#partLength = 0;
  }

  #endLine(bytes: Buffer, from: number, to: number, cut = false): void {
    if (this.#wanted()) this.#show(lineText(bytes, from, to, cut));
    else if (this.#truncated === null && this.#number >= this.#first) this.#truncated = "lines";
    this.#number += 1;
  }

  #wanted(): boolean {
    return this.#number >= this.#first && this.#truncated === null && this.#lines.length < this.#limit;
  }

  #show(line: string): void {
    const size = Buffer.byteLength(line) + (this.#lines.length > 0 ? 1 : 0);
    if (this.#bytes + size > SHOWN_BYTES) {
      this.#truncated = "bytes";
      return;
    }
    this.#lines.push(line);
    this.#bytes += size;
  }
}

/** `cut`: what is here is only the beginning of the line. */
function lineText(bytes: Buffer, from: number, to: number, cut: boolean): string {
  const end = !cut && to > from && bytes[to - 1] === RETURN ? to - 1 : to;
  const text = bytes.toString("utf8", from, end);
  return text.length > LINE_CHARACTERS ? text.slice(0, LINE_CHARACTERS) + LINE_SUFFIX : text;
}
