// The patch language of apply_patch: text to hunks. Pure.

export type Hunk =
  | { type: "add"; path: string; contents: string }
  | { type: "delete"; path: string }
  | { type: "update"; path: string; movePath?: string; chunks: Chunk[] };

export interface Chunk {
  oldLines: string[];
  newLines: string[];
  /** A line that stands before the chunk, to find its place (`@@ def greet():`). */
  context?: string;
  endOfFile: boolean;
}

const ADD = "*** Add File:";
const DELETE = "*** Delete File:";
const UPDATE = "*** Update File:";
const MOVE = "*** Move to:";
const END_OF_FILE = "*** End of File";

/** Throws Error where the envelope is missing. An envelope with nothing in it has no hunks. */
export function parsePatch(text: string): Hunk[] {
  const lines = withoutHereDocument(text.trim()).split("\n");
  const begin = lines.findIndex((line) => line.trim() === "*** Begin Patch");
  const end = lines.findIndex((line) => line.trim() === "*** End Patch");
  if (begin === -1 || end === -1 || begin >= end) throw new Error("Invalid patch format: missing Begin/End markers");
  const reader = new Lines(lines.slice(begin + 1, end));
  const hunks: Hunk[] = [];
  while (!reader.done) {
    const header = reader.take();
    const path = (marker: string) => header.slice(marker.length).trim();
    if (header.startsWith(ADD) && path(ADD)) hunks.push({ type: "add", path: path(ADD), contents: added(reader) });
    else if (header.startsWith(DELETE) && path(DELETE)) hunks.push({ type: "delete", path: path(DELETE) });
    else if (header.startsWith(UPDATE) && path(UPDATE)) {
      const movePath = reader.peek()?.startsWith(MOVE) ? reader.take().slice(MOVE.length).trim() : undefined;
      hunks.push({ type: "update", path: path(UPDATE), ...(movePath ? { movePath } : {}), chunks: chunks(reader) });
    }
  }
  return hunks;
}

class Lines {
  #at = 0;
  constructor(private readonly lines: string[]) {}
  get done(): boolean {
    return this.#at >= this.lines.length;
  }
  peek(): string | undefined {
    return this.lines[this.#at];
  }
  take(): string {
    return this.lines[this.#at++] ?? "";
  }
}

/** Models sometimes send the patch as the here document that a shell would have got. */
function withoutHereDocument(text: string): string {
  return /^(?:cat\s+)?<<['"]?(\w+)['"]?\s*\n([\s\S]*?)\n\1\s*$/.exec(text)?.[2] ?? text;
}

function added(reader: Lines): string {
  const contents: string[] = [];
  while (!reader.done && !reader.peek()?.startsWith("***")) {
    const line = reader.take();
    if (line.startsWith("+")) contents.push(line.slice(1));
  }
  return contents.join("\n");
}

function chunks(reader: Lines): Chunk[] {
  const found: Chunk[] = [];
  while (!reader.done && !reader.peek()?.startsWith("***")) {
    const line = reader.take();
    if (line.startsWith("@@")) found.push(chunk(line.slice(2).trim(), reader));
  }
  return found;
}

function chunk(context: string, reader: Lines): Chunk {
  const result: Chunk = { oldLines: [], newLines: [], endOfFile: false, ...(context ? { context } : {}) };
  while (!reader.done) {
    const line = reader.peek() ?? "";
    if (line === END_OF_FILE) {
      result.endOfFile = true;
      reader.take();
      break;
    }
    if (line.startsWith("@@") || line.startsWith("***")) break;
    reader.take();
    if (!line.startsWith("+") && /^[ -]/.test(line)) result.oldLines.push(line.slice(1));
    if (!line.startsWith("-") && /^[ +]/.test(line)) result.newLines.push(line.slice(1));
  }
  return result;
}
