// The diffs that permission prompts and the TUI draw, in the built-in's form.
import { createTwoFilesPatch, diffLines } from "diff";

export interface FileDiff {
  patch: string;
  additions: number;
  deletions: number;
}

/** Unified diff of two texts under one name, line ends normalised, common indentation removed. */
export function fileDiff(path: string, before: string, after: string): FileDiff {
  let additions = 0;
  let deletions = 0;
  for (const change of diffLines(before, after)) {
    if (change.added) additions += change.count ?? 0;
    if (change.removed) deletions += change.count ?? 0;
  }
  const patch = createTwoFilesPatch(path, path, toLF(before), toLF(after));
  return { patch: withoutCommonIndent(patch), additions, deletions };
}

export function toLF(text: string): string {
  return text.replaceAll("\r\n", "\n");
}

function withoutCommonIndent(patch: string): string {
  const lines = patch.split("\n");
  const indents = lines.filter(isContent).flatMap((line) => {
    const content = line.slice(1);
    return content.trim() === "" ? [] : [content.length - content.trimStart().length];
  });
  const common = Math.min(...indents);
  if (!Number.isFinite(common) || common === 0) return patch;
  return lines.map((line) => (isContent(line) ? line.slice(0, 1) + line.slice(1 + common) : line)).join("\n");
}

function isContent(line: string): boolean {
  return /^[+\- ]/.test(line) && !line.startsWith("---") && !line.startsWith("+++");
}
