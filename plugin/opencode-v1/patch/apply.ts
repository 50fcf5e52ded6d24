// Puts the chunks of one update into a file's text. Places are sought ever more leniently, in order, never backwards. Pure.
import { joinMark, splitMark } from "../byte-order-mark.js";
import type { Chunk } from "./parse.js";

type Comparison = (left: string, right: string) => boolean;

const COMPARISONS: readonly Comparison[] = [
  (left, right) => left === right,
  (left, right) => left.trimEnd() === right.trimEnd(),
  (left, right) => left.trim() === right.trim(),
  (left, right) => plainPunctuation(left.trim()) === plainPunctuation(right.trim()),
];

interface Replacement {
  at: number;
  remove: number;
  insert: string[];
}

/** The new text, byte order mark kept, ending with a line end. Throws Error that names what was not found. */
export function applyChunks(path: string, content: string, chunks: Chunk[]): string {
  const original = splitMark(content);
  const lines = original.text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  const replacements = place(path, lines, chunks);
  for (const { at, remove, insert } of replacements.toReversed()) lines.splice(at, remove, ...insert);
  if (lines.at(-1) !== "") lines.push("");
  const text = lines.join("\n");
  return joinMark(text, original.bom || splitMark(text).bom);
}

function place(path: string, lines: string[], chunks: Chunk[]): Replacement[] {
  const found: Replacement[] = [];
  let from = 0;
  for (const chunk of chunks) {
    if (chunk.context !== undefined) {
      const at = seek(lines, [chunk.context], from, false);
      if (at === -1) throw new Error(`Failed to find context '${chunk.context}' in ${path}`);
      from = at + 1;
    }
    if (chunk.oldLines.length === 0) {
      found.push({ at: lines.at(-1) === "" ? lines.length - 1 : lines.length, remove: 0, insert: chunk.newLines });
      continue;
    }
    const replacement = placeChunk(lines, chunk, from);
    if (!replacement) throw new Error(`Failed to find expected lines in ${path}:\n${chunk.oldLines.join("\n")}`);
    found.push(replacement);
    from = replacement.at + replacement.remove;
  }
  return found.sort((left, right) => left.at - right.at);
}

function placeChunk(lines: string[], chunk: Chunk, from: number): Replacement | undefined {
  let { oldLines, newLines } = chunk;
  let at = seek(lines, oldLines, from, chunk.endOfFile);
  if (at === -1 && oldLines.at(-1) === "") {
    oldLines = oldLines.slice(0, -1);
    if (newLines.at(-1) === "") newLines = newLines.slice(0, -1);
    at = seek(lines, oldLines, from, chunk.endOfFile);
  }
  return at === -1 ? undefined : { at, remove: oldLines.length, insert: newLines };
}

function seek(lines: string[], wanted: string[], from: number, endOfFile: boolean): number {
  if (wanted.length === 0) return -1;
  for (const same of COMPARISONS) {
    const matches = (at: number) => wanted.every((line, index) => same(lines[at + index] ?? "", line));
    const last = lines.length - wanted.length;
    if (endOfFile && last >= from && matches(last)) return last;
    for (let at = from; at <= last; at++) if (matches(at)) return at;
  }
  return -1;
}

function plainPunctuation(text: string): string {
  return text
    .replace(/[\u2018\u2019\u201a\u201b]/g, "'")
    .replace(/[\u201c\u201d\u201e\u201f]/g, '"')
    .replace(/[\u2010-\u2015]/g, "-")
    .replaceAll("\u2026", "...")
    .replaceAll("\u00a0", " ");
}
