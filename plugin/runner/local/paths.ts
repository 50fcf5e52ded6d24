// Paths of a local session: absolute, `~/…` or relative to its directory; always resolved through every link.
import { realpath } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, resolve } from "node:path";
import { codeOf, fromSystem, RemoteError } from "../../../protocol/errors.js";

export interface PathBase {
  /** Canonical; null where the session has none. */
  directory: string | null;
  home: string;
}

/** The real path; for what does not exist yet, that of the deepest part that does, and the rest behind it. */
export async function canonicalPath(base: PathBase, path: string): Promise<string> {
  return await real(absolutePath(base, path));
}

function absolutePath({ directory, home }: PathBase, path: string): string {
  if (path === "" || path.includes("\0")) throw new RemoteError("invalid_path", "a path is empty or holds NUL");
  if (path === "~") return home;
  if (path.startsWith("~/")) return join(home, path.slice(2));
  if (isAbsolute(path)) return path;
  if (directory !== null) return resolve(directory, path);
  throw new RemoteError("invalid_path", `${path} is relative and the session has no directory`);
}

async function real(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (codeOf(error) !== "ENOENT" || dirname(path) === path) throw fromSystem(error, `${codeOf(error)}: ${path}`);
    return join(await real(dirname(path)), basename(path));
  }
}
