// What the read tool answers, from what the host sent. Pure.
import type { FileView } from "../../protocol/file.js";

type TextView = Extract<FileView, { type: "text" }>;
type DirectoryView = Extract<FileView, { type: "directory" }>;

/** Lines of a preview that the UI shows. */
const PREVIEW_LINES = 20;

export interface ReadAnswer {
  output: string;
  metadata: Record<string, unknown>;
}

/** `path` as the model named it, made absolute. Throws Error where `offset` lies behind the end. */
export function textAnswer(path: string, view: TextView, offset: number): ReadAnswer {
  const { lines, lineStart, totalLines } = view;
  if (totalLines < offset && !(totalLines === 0 && offset === 1)) {
    throw new Error(`Offset ${offset} is out of range for this file (${totalLines} lines)`);
  }
  const lineEnd = lineStart + lines.length - 1;
  const next = lineEnd + 1;
  const numbered = lines.map((line, index) => `${lineStart + index}: ${line}`).join("\n");
  const end = {
    bytes: `(Output capped at 50 KB. Showing lines ${lineStart}-${lineEnd}. Use offset=${next} to continue.)`,
    lines: `(Showing lines ${lineStart}-${lineEnd} of ${totalLines}. Use offset=${next} to continue.)`,
    none: `(End of file - total ${totalLines} lines)`,
  }[view.truncated ?? "none"];
  const truncated = view.truncated !== null;
  return {
    output: `<path>${path}</path>\n<type>file</type>\n<content>\n${numbered}\n\n${end}\n</content>`,
    metadata: {
      preview: lines.slice(0, PREVIEW_LINES).join("\n"),
      truncated,
      loaded: [],
      display: { type: "file", path, text: lines.join("\n"), lineStart, lineEnd, totalLines, truncated },
    },
  };
}

export function directoryAnswer(path: string, view: DirectoryView, offset: number): ReadAnswer {
  const { entries, total } = view;
  const shown = offset - 1 + entries.length;
  const truncated = shown < total;
  const end = truncated
    ? `\n(Showing ${entries.length} of ${total} entries. Use 'offset' parameter to read beyond entry ${offset + entries.length})`
    : `\n(${total} entries)`;
  return {
    output: [`<path>${path}</path>`, "<type>directory</type>", "<entries>", entries.join("\n"), end, "</entries>"].join(
      "\n",
    ),
    metadata: {
      preview: entries.slice(0, PREVIEW_LINES).join("\n"),
      truncated,
      loaded: [],
      display: { type: "directory", path, entries, offset, totalEntries: total, truncated },
    },
  };
}

export function mediaAnswer(mime: string): ReadAnswer {
  const output = mime === "application/pdf" ? "PDF read successfully" : "Image read successfully";
  return { output, metadata: { preview: output, truncated: false, loaded: [] } };
}

/** `entries` of the directory that should hold the file. */
export function missingFile(path: string, directory: string, name: string, entries: string[]): string {
  const wanted = name.toLowerCase();
  const alike = entries
    .filter((entry) => entry.toLowerCase().includes(wanted) || wanted.includes(entry.toLowerCase()))
    .slice(0, 3);
  if (alike.length === 0) return `File not found: ${path}`;
  const names = alike.map((entry) => `${directory === "/" ? "" : directory}/${entry}`);
  return `File not found: ${path}\n\nDid you mean one of these?\n${names.join("\n")}`;
}
