// The end of a text within a number of lines and bytes. Pure.

export interface Truncated {
  text: string;
  cut: boolean;
}

/** Whole lines from the end; of a single line that is too long by itself, its end. */
export function tailOf(text: string, maxLines: number, maxBytes: number): Truncated {
  const lines = text.split("\n");
  if (lines.length <= maxLines && Buffer.byteLength(text) <= maxBytes) return { text, cut: false };
  const kept: string[] = [];
  let bytes = 0;
  for (const line of lines.toReversed()) {
    if (kept.length >= maxLines) break;
    const size = Buffer.byteLength(line) + (kept.length > 0 ? 1 : 0);
    if (bytes + size > maxBytes) {
      if (kept.length === 0) kept.push(endOfLine(line, maxBytes));
      break;
    }
    kept.push(line);
    bytes += size;
  }
  return { text: kept.reverse().join("\n"), cut: true };
}

function endOfLine(line: string, maxBytes: number): string {
  const bytes = Buffer.from(line);
  let start = Math.max(0, bytes.length - maxBytes);
  // not in the middle of a character
  while (start < bytes.length && ((bytes[start] ?? 0) & 0xc0) === 0x80) start++;
  return bytes.subarray(start).toString("utf8");
}
