// What edit does to a text: find what is meant, refuse what is ambiguous, replace. Pure.
import { FINDERS } from "./finders.js";

export const EDIT_ERRORS = {
  identical: "No changes to apply: oldString and newString are identical.",
  empty:
    "oldString cannot be empty when editing an existing file. Provide the exact text to replace, or use write for an intentional full-file replacement.",
  missing:
    "Could not find oldString in the file. It must match exactly, including whitespace, indentation, and line endings.",
  ambiguous: "Found multiple matches for oldString. Provide more surrounding context to make the match unique.",
  tooWide:
    "Refusing replacement because the matched span is much larger than oldString. Re-read the file and provide the full exact oldString for the intended replacement.",
} as const;

/** The content with `oldString` (or what it must mean) replaced. Throws Error with one of `EDIT_ERRORS`. */
export function replaceText(content: string, oldString: string, newString: string, replaceAll = false): string {
  if (oldString === newString) throw new Error(EDIT_ERRORS.identical);
  if (oldString === "") throw new Error(EDIT_ERRORS.empty);
  let found = false;
  for (const finder of FINDERS) {
    for (const meant of finder(content, oldString)) {
      const at = content.indexOf(meant);
      if (at === -1) continue;
      found = true;
      if (isMuchWider(meant, oldString)) throw new Error(EDIT_ERRORS.tooWide);
      if (replaceAll) return content.split(meant).join(newString);
      if (at !== content.lastIndexOf(meant)) continue;
      return content.slice(0, at) + newString + content.slice(at + meant.length);
    }
  }
  throw new Error(found ? EDIT_ERRORS.ambiguous : EDIT_ERRORS.missing);
}

/** The model's strings with the line ends of the file. */
export function withLineEndsOf(content: string, text: string): string {
  const plain = text.replaceAll("\r\n", "\n");
  return content.includes("\r\n") ? plain.replaceAll("\n", "\r\n") : plain;
}

function isMuchWider(meant: string, wanted: string): boolean {
  const wantedLines = wanted.split("\n").length;
  if (meant.split("\n").length >= Math.max(wantedLines + 3, wantedLines * 2)) return true;
  if (wantedLines === 1) return false;
  return meant.trim().length > Math.max(wanted.trim().length + 500, wanted.trim().length * 4);
}
