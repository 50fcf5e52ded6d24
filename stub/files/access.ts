// Opening things for a request: locate, pass the gate, and only then touch what was pinned.
import type { FileHandle } from "node:fs/promises";
import { codeOf, RemoteError } from "../../protocol/errors.js";
import { isWithin } from "../../protocol/paths.js";
import type { Access } from "../../protocol/workspace.js";
import type { Pass } from "../permission/gate.js";
import type { ChangeRecorder } from "./change-recorder.js";
import { absolutePath, type Located, locate, type PathBase } from "./locate.js";
import { fileError, type Pin, pin, reopen } from "./pin.js";
import type { Temporaries } from "./temporaries.js";

export interface FileContext {
  pass: Pass;
  base: PathBase;
  /** Canonical; what lies in it belongs to the stub and is served to nobody. */
  installRoot: string;
  /** Of the user, for what is made anew. */
  umask: number;
  /** Where half-written files are noted; without it a kill in the middle of a write leaves one behind. */
  temporaries?: Temporaries;
  /** Keeps what is changed, for the message that wants it. */
  recorder?: ChangeRecorder | undefined;
}

export interface OpenedFile extends AsyncDisposable {
  handle: FileHandle;
  /** Canonical real path. */
  real: string;
  kind: "file" | "directory";
}

/** Opens an existing file or directory for reading. Sockets, fifos and devices are refused without touching them (EINVAL). */
export async function openToRead(context: FileContext, path: string, reason: string): Promise<OpenedFile> {
  await using pinned = await pinToRead(context, path, reason);
  const { real, kind } = pinned;
  if (kind !== "file" && kind !== "directory") {
    throw new RemoteError("EINVAL", `neither a file nor a directory: ${path}`);
  }
  const handle = await reopen(pinned).catch((error: unknown) => {
    throw fileError(error, path);
  });
  return { handle, real, kind, [Symbol.asyncDispose]: () => handle.close() };
}

/** The object itself, approved for reading; the caller disposes of it. A missing one asks too, and only then is ENOENT. */
export async function pinToRead(context: FileContext, path: string, reason: string): Promise<Pin> {
  const located = await locate(absolutePath(path, context.base)).catch((error: unknown) => {
    throw fileError(error, path);
  });
  try {
    await admit(context, located, "read", reason);
    if (!located.found) throw fileError(located.error, path);
    return located.pin;
  } catch (error) {
    await (located.found ? located.pin : located.ancestor)[Symbol.asyncDispose]();
    throw error;
  }
}

async function admit(context: FileContext, located: Located, access: Access, reason: string): Promise<void> {
  const kind = located.found && located.pin.kind === "directory" ? "directory" : "file";
  refuseOurs(context, located.real);
  await context.pass.require({ path: located.real, kind }, access, reason);
}

/** Throws EACCES for what belongs to the stub, unless it was lent (a command's temporary directory). */
export function refuseOurs({ pass, installRoot }: FileContext, real: string): void {
  if (isWithin(real, installRoot) && !pass.allows(real, "read")) {
    throw new RemoteError("EACCES", `belongs to the stub itself: ${real}`);
  }
}

/** A name in a pinned directory, where something is to be changed. */
export interface Spot extends AsyncDisposable {
  /** The parent, or its nearest ancestor that exists. */
  directory: Pin;
  name: string;
  /** Canonical real path of the name. */
  real: string;
  /** What is missing between `directory` and the name, outermost first, and the error that said so. */
  missing: string[];
  error: unknown;
}

/**
 * Where `path` is, or would be. `follow`: a final symbolic link is resolved, once, and what comes out is judged like any
 * other path. Asks nobody yet. Throws `invalid_path`, EISDIR, EACCES for /proc.
 */
export async function findSpot(context: FileContext, path: string, follow: boolean): Promise<Spot> {
  const absolute = absolutePath(path, context.base);
  return spotOf((follow ? await realTarget(absolute) : undefined) ?? absolute, path);
}

/** Undefined where nothing is there, and for what only looks like a file. */
async function realTarget(absolute: string): Promise<string | undefined> {
  try {
    await using target = await pin(absolute);
    return target.real;
  } catch (error) {
    if (codeOf(error) === "EMFILE") throw error;
    return undefined;
  }
}

async function spotOf(absolute: string, asked: string): Promise<Spot> {
  const cut = absolute.lastIndexOf("/");
  const name = absolute.slice(cut + 1);
  if (name === "" || name === "." || name === "..") throw new RemoteError("EISDIR", `is a directory: ${asked}`);
  const located = await locate(absolute.slice(0, cut) || "/", { directory: true }).catch((error: unknown) => {
    throw fileError(error, asked);
  });
  const directory = located.found ? located.pin : located.ancestor;
  const { missing, error } = located.found
    ? { missing: [], error: undefined }
    : { missing: located.rest, error: located.error };
  const real = [directory.real === "/" ? "" : directory.real, ...missing, name].join("/");
  return { directory, name, real, missing, error, [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose]() };
}
