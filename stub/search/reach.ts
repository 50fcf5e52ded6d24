// What ripgrep must be able to read for one search: itself, what is searched, and the ignore files above it, which it applies as if it
// had been started there.
import { dirname } from "node:path";
import { type Entry, entryOf, identityOf } from "../confinement/entries.js";

const IGNORE_FILES = [".gitignore", ".ignore", ".rgignore", ".git/info/exclude"];

export interface SearchReach {
  /** Path of the ripgrep binary. */
  ripgrep: string;
  /** Canonical: a directory, or the one file that is searched. */
  approved: string;
  kind: "directory" | "file";
  /** `dev:ino` of the directory, as it is pinned. */
  identity: string;
}

/** A policy (stub/native/confine/policy.h). */
export function searchPolicy({ ripgrep, approved, kind, identity }: SearchReach): Buffer {
  const lines = ["confine 1", "option no-network", `sys - ${ripgrep}`];
  if (kind === "directory") lines.push(`ro ${identity} ${approved}`);
  else lines.push(`ro-file ${identity} ${approved}`);
  lines.push(...[...ignoreFiles(approved)].map(({ text }) => text));
  return Buffer.from(`${lines.join("\0")}\0`);
}

function* ignoreFiles(approved: string): Iterable<Entry> {
  for (let below = approved; below !== "/"; below = dirname(below)) {
    const directory = dirname(below);
    for (const name of IGNORE_FILES) {
      const path = `${directory === "/" ? "" : directory}/${name}`;
      if (identityOf(path, false) === undefined) continue; // few are there
      const entry = entryOf({ path, access: "read", kind: "file" });
      if (entry !== undefined) yield entry;
    }
  }
}
