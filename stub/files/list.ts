// GET /file: the entries of a directory, read from the pinned directory itself.
import { readdir } from "node:fs/promises";
import { relative } from "node:path";
import { RemoteError } from "../../protocol/errors.js";
import type { FileKind, FileNode } from "../../protocol/file.js";
import { isWithin } from "../../protocol/paths.js";
import { type FileContext, openToRead } from "./access.js";
import { ignoredIn } from "./ignored.js";
import { fileError } from "./pin.js";

interface DirectoryEntry {
  name: string;
  kind: FileKind;
}

/** OpenCode's order and fields; links and what is no file are listed too, which OpenCode leaves out. */
export async function list(context: FileContext, path: string): Promise<FileNode[]> {
  await using directory = await openToRead(context, path, `list ${path}`);
  if (directory.kind !== "directory") throw new RemoteError("ENOTDIR", `not a directory: ${path}`);
  const entries = await readEntries(directory.handle.fd, path);
  const rank = ({ kind }: DirectoryEntry) => (kind === "directory" ? 0 : 1);
  entries.sort((a, b) => rank(a) - rank(b) || compareNames(a.name, b.name));
  const isIgnored = await ignoredIn(context, directory.real);
  return entries.map(({ name, kind }) => {
    const absolute = `${directory.real === "/" ? "" : directory.real}/${name}`;
    const path = shown(absolute, context.base.directory) + (kind === "directory" ? "/" : "");
    return { name, path, absolute, type: kind, ignored: isIgnored(name, kind === "directory") };
  });
}

/** Unsorted; names that are not UTF-8 come with replacement characters, as node gives them. */
export async function readEntries(descriptor: number, asked: string): Promise<DirectoryEntry[]> {
  try {
    const entries = await readdir(`/proc/self/fd/${descriptor}`, { withFileTypes: true });
    return entries.map((entry) => ({
      name: entry.name,
      kind: entry.isDirectory() ? "directory" : entry.isFile() ? "file" : entry.isSymbolicLink() ? "symlink" : "other",
    }));
  } catch (error) {
    throw fileError(error, asked);
  }
}

export function compareNames(a: string, b: string): number {
  return a.localeCompare(b);
}

function shown(absolute: string, directory: string | null): string {
  return directory !== null && isWithin(absolute, directory) ? relative(directory, absolute) : absolute;
}
