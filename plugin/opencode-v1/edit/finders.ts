// Where in a file the model's `oldString` may be meant: each finder yields spans of the content, from the strictest
// reading to the most lenient. The built-in's order and thresholds, so that an edit that works locally works on a host.
import { similarity } from "./similarity.js";

export type Finder = (content: string, wanted: string) => Iterable<string>;

/** A block is taken for meant when its inner lines are this alike. */
const BLOCK_SIMILARITY = 0.65;
/** Of the inner lines of a block, found by its first and last line, so many must be equal. */
const CONTEXT_EQUAL = 0.5;

function* exact(_content: string, wanted: string): Iterable<string> {
  yield wanted;
}

function* linesTrimmed(content: string, wanted: string): Iterable<string> {
  const target = lines(wanted, true);
  for (const window of windows(content, target.length)) {
    if (window.lines.every((line, index) => line.trim() === target[index]?.trim())) yield window.text;
  }
}

/** First and last line equal, about the same number of lines, the lines between alike: the best such block. */
function* anchoredBlock(content: string, wanted: string): Iterable<string> {
  const raw = wanted.split("\n");
  if (raw.length < 3) return;
  const target = lines(wanted, true);
  const slack = Math.max(1, Math.floor(target.length * 0.25));
  const candidates = blocks(content, target, "first-end").filter(
    (block) => Math.abs(block.lines.length - target.length) <= slack,
  );
  let best: { text: string; score: number } | undefined;
  for (const block of candidates) {
    const score = innerSimilarity(block.lines, target);
    if (score > (best?.score ?? -1)) best = { text: block.text, score };
  }
  if (best && best.score >= BLOCK_SIMILARITY) yield best.text;
}

function* whitespaceNormalised(content: string, wanted: string): Iterable<string> {
  const normal = (text: string) => text.replace(/\s+/g, " ").trim();
  const target = normal(wanted);
  for (const line of content.split("\n")) {
    if (normal(line) === target) yield line;
    else if (target !== "" && normal(line).includes(target)) {
      const words = wanted.trim().split(/\s+/).map(escapeRegExp);
      const match = new RegExp(words.join("\\s+")).exec(line);
      if (match) yield match[0];
    }
  }
  const count = wanted.split("\n").length;
  if (count < 2) return;
  for (const window of windows(content, count)) if (normal(window.text) === target) yield window.text;
}

function* indentationFlexible(content: string, wanted: string): Iterable<string> {
  const target = outdent(wanted);
  for (const window of windows(content, wanted.split("\n").length)) {
    if (outdent(window.text) === target) yield window.text;
  }
}

function* escapesNormalised(content: string, wanted: string): Iterable<string> {
  const target = unescapeText(wanted);
  if (content.includes(target)) yield target;
  for (const window of windows(content, target.split("\n").length)) {
    if (unescapeText(window.text) === target) yield window.text;
  }
}

function* boundaryTrimmed(content: string, wanted: string): Iterable<string> {
  const target = wanted.trim();
  if (target === wanted) return;
  if (content.includes(target)) yield target;
  for (const window of windows(content, wanted.split("\n").length)) {
    if (window.text.trim() === target) yield window.text;
  }
}

function* contextAware(content: string, wanted: string): Iterable<string> {
  if (wanted.split("\n").length < 3) return;
  const target = lines(wanted, true);
  for (const block of blocks(content, target, "every-end")) {
    if (block.lines.length === target.length && innerEqual(block.lines, target) >= CONTEXT_EQUAL) yield block.text;
  }
}

function* everyOccurrence(content: string, wanted: string): Iterable<string> {
  if (wanted === "") return;
  for (let at = content.indexOf(wanted); at !== -1; at = content.indexOf(wanted, at + wanted.length)) yield wanted;
}

export const FINDERS: readonly Finder[] = [
  exact,
  linesTrimmed,
  anchoredBlock,
  whitespaceNormalised,
  indentationFlexible,
  escapesNormalised,
  boundaryTrimmed,
  contextAware,
  everyOccurrence,
];

interface Span {
  lines: string[];
  text: string;
}

/** Lines of a text; a last empty one (the text ended with a line end) is dropped where asked. */
function lines(text: string, dropLastEmpty: boolean): string[] {
  const all = text.split("\n");
  if (dropLastEmpty && all.at(-1) === "") all.pop();
  return all;
}

function* windows(content: string, count: number): Iterable<Span> {
  if (count === 0) return;
  const all = content.split("\n");
  for (let start = 0; start + count <= all.length; start++) yield span(all, start, start + count - 1);
}

/** Blocks of at least three lines that begin and end as the target does; per beginning the first end, or every end. */
function blocks(content: string, target: string[], ends: "first-end" | "every-end"): Span[] {
  const all = content.split("\n");
  const first = target[0]?.trim();
  const last = target.at(-1)?.trim();
  const found: Span[] = [];
  for (let start = 0; start < all.length; start++) {
    if (all[start]?.trim() !== first) continue;
    for (let end = start + 2; end < all.length; end++) {
      if (all[end]?.trim() !== last) continue;
      found.push(span(all, start, end));
      if (ends === "first-end") break;
    }
  }
  return found;
}

function span(all: string[], start: number, end: number): Span {
  const part = all.slice(start, end + 1);
  return { lines: part, text: part.join("\n") };
}

/** Mean similarity of the lines between the first and the last; 1 where there are none to compare. */
function innerSimilarity(block: string[], target: string[]): number {
  const count = Math.min(target.length, block.length) - 2;
  if (count <= 0) return 1;
  let sum = 0;
  for (let index = 1; index <= count; index++) {
    const left = block[index]?.trim() ?? "";
    const right = target[index]?.trim() ?? "";
    if (left !== "" || right !== "") sum += similarity(left, right);
  }
  return sum / count;
}

function innerEqual(block: string[], target: string[]): number {
  let compared = 0;
  let equal = 0;
  for (let index = 1; index < block.length - 1; index++) {
    const left = block[index]?.trim() ?? "";
    const right = target[index]?.trim() ?? "";
    if (left === "" && right === "") continue;
    compared++;
    if (left === right) equal++;
  }
  return compared === 0 ? 1 : equal / compared;
}

function outdent(text: string): string {
  const all = text.split("\n");
  const indents = all.filter((line) => line.trim() !== "").map((line) => line.length - line.trimStart().length);
  if (indents.length === 0) return text;
  const common = Math.min(...indents);
  return all.map((line) => (line.trim() === "" ? line : line.slice(common))).join("\n");
}

const ESCAPES: Record<string, string> = { n: "\n", t: "\t", r: "\r" };

function unescapeText(text: string): string {
  return text.replace(/\\([ntr'"`\\\n$])/g, (_, character: string) => ESCAPES[character] ?? character);
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
