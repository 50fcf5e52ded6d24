// Names between the anchor and the host: what the TUI names becomes a path of the host, what the host names one of the anchor.
import { posix, resolve } from "node:path";
import { isWithin } from "../../../protocol/paths.js";
import { printable } from "../printable.js";

/** What a request names, for the host: relative to its directory. Throws where it leads out of the anchor. */
export function inAnchor(path: string, anchor: string): string {
  const absolute = resolve(anchor, path);
  if (!isWithin(absolute, anchor)) throw new Error("Path escapes the location");
  // A file may be called `~`.
  return `./${absolute.slice(anchor.length + 1)}`;
}

/** A name that the host gave, relative to its directory: harmless to a terminal, and always inside. Undefined: it is none. */
export function fromHost(name: string): string | undefined {
  const clean = printable(name);
  const directory = clean.endsWith("/");
  const path = posix.normalize(directory ? clean.slice(0, -1) : clean);
  if (path === "." || path === ".." || path.startsWith("../") || path.startsWith("/")) return undefined;
  return directory ? `${path}/` : path;
}

/** An entry of a directory. */
export function entryName(name: string): string | undefined {
  return name.includes("/") ? undefined : fromHost(name);
}
