// From what was approved to lines of a policy (stub/native/confine/policy.h), with the identities that the kernel's side compares.
import { type BigIntStats, lstatSync } from "node:fs";
import { dirname } from "node:path";
import { codeOf } from "../../protocol/errors.js";
import { isWithin } from "../../protocol/paths.js";
import type { Access } from "../../protocol/workspace.js";

export interface Granted {
  /** Canonical real path. */
  path: string;
  access: Access;
  kind: "directory" | "file";
  /** Of the directory, where it was compared already; else what lies there now counts. */
  identity?: string | undefined;
}

export interface Entry {
  text: string;
  /** What a rule set that was built before would miss: a file that was replaced by another of its name. */
  live: string;
}

/** Undefined for what gives nothing: a directory that is not there (any more) or is none, a file that is a link by now. */
export function entryOf({ path, access, kind, identity }: Granted): Entry | undefined {
  const word = access === "write" ? "rw" : "ro";
  if (kind === "directory") {
    const known = identity ?? identityOf(path, true);
    return known === undefined ? undefined : { text: `${word} ${known} ${path}`, live: "" };
  }
  const parent = identityOf(dirname(path), true);
  const file = look(path);
  if (parent === undefined || file?.isSymbolicLink()) return undefined;
  return { text: `${word}-file ${parent} ${path}`, live: file === undefined ? "-" : `${file.dev}:${file.ino}` };
}

/** The paths of lines that say what every command may reach. */
export interface BaseReach {
  /** With all that is below. */
  read: string[];
  /** Devices. */
  written: Set<string>;
}

export function reachOf(lines: string[]): BaseReach {
  const reach: BaseReach = { read: [], written: new Set() };
  for (const line of lines) {
    const [kind = "", identity = ""] = line.split(" ", 2);
    const path = line.slice(kind.length + identity.length + 2);
    if (kind === "dev") reach.written.add(path);
    else if (kind === "sys" || kind === "ro" || kind === "ro-file") reach.read.push(path);
  }
  return reach;
}

export function reaches({ read, written }: BaseReach, path: string, access: Access): boolean {
  return written.has(path) || (access === "read" && read.some((known) => isWithin(path, known)));
}

/** `dev:ino` of what has this name, no link followed. */
export function identityOf(path: string, isDirectory: boolean): string | undefined {
  const found = look(path);
  return found === undefined || (isDirectory && !found.isDirectory()) ? undefined : `${found.dev}:${found.ino}`;
}

function look(path: string): BigIntStats | undefined {
  try {
    return lstatSync(path, { bigint: true });
  } catch (error) {
    const code = codeOf(error);
    if (code === "ENOENT" || code === "ENOTDIR" || code === "EACCES") return undefined;
    throw error;
  }
}
