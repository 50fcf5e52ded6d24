// From hunks and the texts they are about: what will be done, with the diffs that the prompt shows. Pure.
import { splitMark } from "../byte-order-mark.js";
import { type FileDiff, fileDiff } from "../diff-text.js";
import { applyChunks } from "./apply.js";
import type { Hunk } from "./parse.js";

export interface PlannedChange extends FileDiff {
  type: "add" | "update" | "move" | "delete";
  path: string;
  movePath?: string;
  /** With its byte order mark; empty for a deletion. */
  text: string;
}

/** Hunks whose paths are absolute already. `read` throws what the model shall see where a file is missing. */
export function planPatch(
  hunks: Hunk[],
  read: (path: string, purpose: "update" | "delete") => string,
): PlannedChange[] {
  // A file that is named twice is changed twice, the second time as the first left it.
  const changed = new Map<string, string>();
  return hunks.map((hunk) => {
    if (hunk.type === "add") return added(hunk.path, hunk.contents);
    const before = changed.get(hunk.path) ?? read(hunk.path, hunk.type);
    const shown = splitMark(before).text;
    if (hunk.type === "delete") {
      const diff = fileDiff(hunk.path, shown, "");
      return { ...diff, type: "delete", path: hunk.path, text: "", additions: 0, deletions: shown.split("\n").length };
    }
    const after = applyChunks(hunk.path, before, hunk.chunks);
    changed.set(hunk.movePath ?? hunk.path, after);
    return {
      ...fileDiff(hunk.path, shown, splitMark(after).text),
      type: hunk.movePath === undefined ? "update" : "move",
      path: hunk.path,
      text: after,
      ...(hunk.movePath === undefined ? {} : { movePath: hunk.movePath }),
    };
  });
}

function added(path: string, contents: string): PlannedChange {
  const text = contents === "" || contents.endsWith("\n") ? contents : `${contents}\n`;
  return { ...fileDiff(path, "", splitMark(text).text), type: "add", path, text };
}
