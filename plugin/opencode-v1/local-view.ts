// A window of a text that is here already (saved output), cut as the host cuts a file. Pure.
import type { FileView } from "../../protocol/file.js";

const LINE_LIMIT = 2000;
const BYTES_LIMIT = 50 * 1024;

export function viewText(
  path: string,
  text: string,
  offset: number,
  limit: number,
): Extract<FileView, { type: "text" }> {
  const all = text.split("\n");
  if (all.at(-1) === "") all.pop();
  const lines: string[] = [];
  let bytes = 0;
  let truncated: "lines" | "bytes" | null = null;
  for (const line of all.slice(offset - 1)) {
    if (lines.length >= limit) {
      truncated = "lines";
      break;
    }
    const shown = cutLine(line);
    const size = Buffer.byteLength(shown) + (lines.length > 0 ? 1 : 0);
    if (bytes + size > BYTES_LIMIT) {
      truncated = "bytes";
      break;
    }
    lines.push(shown);
    bytes += size;
  }
  return {
    type: "text",
    path,
    tag: "",
    size: Buffer.byteLength(text),
    lines,
    lineStart: offset,
    totalLines: all.length,
    truncated,
  };
}

export function cutLine(line: string): string {
  return line.length > LINE_LIMIT ? `${line.slice(0, LINE_LIMIT)}... (line truncated to ${LINE_LIMIT} chars)` : line;
}
