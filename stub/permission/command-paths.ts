// The paths that a command's text names, looked up on this host: what lies outside of what was approved is asked for before the
// command runs, all of it at once. It is a guess for the user's sake; what holds the command is its level.
import { constants, lstat, access as mayAccess, realpath, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { codeOf, RemoteError } from "../../protocol/errors.js";
import { isWithin } from "../../protocol/paths.js";
import type { Access } from "../../protocol/workspace.js";
import type { NamedPath } from "../command-text/read-command.js";
import { covers } from "./evaluate.js";
import type { Wanted } from "./gate.js";
import { type Protected, whyRefused } from "./refusals.js";

export interface CommandPlace {
  /** Canonical. */
  cwd: string;
  guarded: Protected;
  /** Approved, lent, or part of what every command gets. */
  isCovered(path: string, access: Access): boolean;
  /** Nothing but the text is looked at (`static`): links are followed, and our own files refused. Else the kernel does both. */
  isTextAll: boolean;
  /** A directory with our own files in it can be given without them. */
  canHide: boolean;
  /** Shown to commands in the place of /tmp; undefined: they see the host's. */
  privateTmp?: string | undefined;
}

/** What a file system that does not answer may take, milliseconds; then nothing is found, and nothing more is looked for. */
const LOOK_MS = 2000;
const TEMPORARY = ["/tmp", "/var/tmp"];
/** Other names of what a process has open itself. */
const OWN = ["/dev/stdin", "/dev/stdout", "/dev/stderr", "/dev/fd", "/proc"];

/** What is to be asked for. Throws EACCES where the text names the stub's own files and nobody else would refuse them. */
export async function pathsOutside(named: NamedPath[], place: CommandPlace): Promise<Wanted[]> {
  const wanted: Wanted[] = [];
  for (const each of named) {
    const path = placeOf(each.path, place);
    if (isSettled(path, each, place) || (await isPrivate(path, each.use, place))) continue;
    const found = await inTime(each.use === "entry" ? entryAt(path) : lookAt(path, each.use));
    if (found === "late") break;
    const target = found === undefined ? undefined : targetOf(found, each, place);
    if (target !== undefined && (await inTime(isPossible(target))) === true) wanted.push(target);
  }
  return wanted;
}

/** Without those that another one of them covers; of two that are the same the first stays. */
export function withoutCovered(wanted: Wanted[]): Wanted[] {
  return wanted.filter(({ target, access }, index) => {
    const holds = (other: Wanted) => covers({ ...other.target, access: other.access }, target.path, access);
    return !wanted.some((other, at) => at !== index && holds(other) && (at < index || !isSame(other, wanted[index])));
  });
}

/** Of these words those that lie on the host and are not covered, to be named after a failure where commands have a view. */
export async function pathsHidden(words: string[], place: CommandPlace): Promise<string[]> {
  const hidden: string[] = [];
  for (const word of words) {
    const path = placeOf(word, place);
    if (isPlain(path) && (isOwn(path) || place.isCovered(path, "read"))) continue;
    const real = await inTime(realpath(path).catch(() => undefined));
    if (real === "late") break;
    if (real === undefined || isOwn(real) || place.isCovered(real, "read")) continue;
    if (!(await isPrivate(path, "read", place))) hidden.push(path);
  }
  return hidden;
}

function placeOf(path: string, { cwd, guarded }: CommandPlace): string {
  if (path.startsWith("/")) return path;
  if (path === "~" || path.startsWith("~/")) return guarded.home + path.slice(1);
  return `${cwd}/${path}`;
}

/** Nothing has to be looked up. */
function isSettled(path: string, { path: text, use }: NamedPath, place: CommandPlace): boolean {
  const access = use === "read" ? "read" : "write";
  if (!isPlain(path)) return false;
  if (isOwn(path)) return true;
  // A link in an approved directory may lead out of it: where the kernel looks, too, that is left to it.
  return place.isCovered(path, access) && !(place.isTextAll && isNear(text, path, place));
}

/** It lies where its text says, but for links. */
function isPlain(path: string): boolean {
  return !`${path}/`.includes("/../");
}

/** In the directory of the command or an approved one, rather than in what every command gets. */
function isNear(text: string, path: string, { cwd }: CommandPlace): boolean {
  return !text.startsWith("/") || isWithin(path, cwd);
}

function isOwn(path: string): boolean {
  return OWN.some((own) => isWithin(path, own));
}

/**
 * A file in the private directory that commands see as /tmp, whatever the host has in its own. A directory there may be no more than
 * the place where something of the host's was shown before, or lead to one.
 */
async function isPrivate(path: string, use: NamedPath["use"], { privateTmp }: CommandPlace): Promise<boolean> {
  const shown = TEMPORARY.find((directory) => isWithin(path, directory));
  if (privateTmp === undefined || shown === undefined || use !== "read" || !isPlain(path)) return false;
  if (path === shown) return true;
  const found = await lstat(privateTmp + path.slice(shown.length)).catch(() => undefined);
  return found?.isFile() === true;
}

/** What the host's own permissions refuse needs nobody's approval: the command fails as it would anyway. */
async function isPossible({ target, access }: Wanted): Promise<boolean> {
  try {
    await mayAccess(target.path, access === "read" ? constants.R_OK : constants.W_OK);
    return true;
  } catch (error) {
    return !["EACCES", "EPERM", "EROFS"].includes(codeOf(error) ?? "");
  }
}

interface Found {
  /** Canonical real path; of what is not there, where it would be. */
  real: string;
  kind: "directory" | "file";
  /** Undefined where it is there. */
  ancestor?: string;
}

async function lookAt(path: string, use: NamedPath["use"]): Promise<Found | undefined> {
  try {
    const real = await realpath(path);
    return { real, kind: (await stat(real)).isDirectory() ? "directory" : "file" };
  } catch (error) {
    if (codeOf(error) !== "ENOENT" || use === "read") return undefined;
    return await absent(path);
  }
}

/** A name is made or removed where it stands, whatever it links to. */
async function entryAt(path: string): Promise<Found | undefined> {
  const plain = path.replace(/\/+$/, "");
  if (/(^|\/)\.\.?$/.test(plain)) return await lookAt(plain, "write");
  try {
    const parent = await realpath(dirname(plain));
    const real = join(parent, plain.slice(plain.lastIndexOf("/") + 1));
    const there = await lstat(real).catch(() => undefined);
    return there === undefined ? { real, kind: "file", ancestor: parent } : { real, kind: "file" };
  } catch (error) {
    return codeOf(error) === "ENOENT" ? await absent(plain) : undefined;
  }
}

/** What would be made: below the nearest directory that is there, unless that is the root of everything. */
async function absent(path: string): Promise<Found | undefined> {
  const rest: string[] = [];
  for (let at = path; at !== "/"; at = dirname(at)) {
    rest.unshift(at.slice(at.lastIndexOf("/") + 1));
    if (rest[0] === "..") return undefined;
    const ancestor = await realpath(dirname(at)).catch(() => undefined);
    if (ancestor === undefined) continue;
    if (ancestor === "/" && rest.length > 1) return undefined;
    return { real: join(ancestor, rest.join("/")), kind: "file", ancestor };
  }
  return undefined;
}

function targetOf({ real, kind, ancestor }: Found, { use }: NamedPath, place: CommandPlace): Wanted | undefined {
  const access: Access = use === "read" ? "read" : "write";
  const { guarded, isTextAll, canHide } = place;
  if (isOwn(real) || place.isCovered(real, access)) return undefined;
  if (isWithin(real, guarded.installRoot)) {
    if (!isTextAll) return undefined;
    throw new RemoteError("EACCES", `belongs to the stub itself: ${real}`);
  }
  const target = { path: real, kind };
  if (access === "write" && kind === "file") {
    // Putting a new file in an old one's place takes the directory; one that must not be given as a whole is not asked for.
    const directory = ancestor ?? dirname(real);
    if (place.isCovered(directory, access)) return undefined;
    if (place.privateTmp !== undefined && TEMPORARY.includes(directory)) return undefined;
    if (whyRefused(directory, guarded) === undefined) return { target: { path: directory, kind: "directory" }, access };
  }
  const holdsOurs = kind === "directory" && isWithin(guarded.installRoot, real);
  return holdsOurs && !isTextAll && !canHide ? undefined : { target, access };
}

function isSame(one: Wanted, other: Wanted | undefined): boolean {
  return one.access === other?.access && one.target.path === other.target.path && one.target.kind === other.target.kind;
}

function join(directory: string, name: string): string {
  return directory === "/" ? `/${name}` : `${directory}/${name}`;
}

async function inTime<T>(look: Promise<T>): Promise<T | "late"> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<"late">((resolve) => {
    timer = setTimeout(() => resolve("late"), LOOK_MS);
  });
  try {
    return await Promise.race([look, late]);
  } finally {
    clearTimeout(timer);
  }
}
