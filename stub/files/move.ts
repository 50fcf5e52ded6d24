// POST /file/move and POST /file/mkdir.
import { link, lstat, mkdir as makeDirectory, rename, unlink } from "node:fs/promises";
import { codeOf, RemoteError } from "../../protocol/errors.js";
import { type FileContext, findSpot, refuseOurs } from "./access.js";
import { madeFor, pinParent } from "./parents.js";
import { fileError, inside, pin } from "./pin.js";
import { refuseRoot } from "./remove.js";

export interface MoveRequest {
  from: string;
  to: string;
  /** Without it an existing target throws EEXIST. */
  overwrite?: boolean | undefined;
  parents?: boolean | undefined;
}

/** Both ends need write access. Moves a link itself. Throws EXDEV between file systems. */
export async function move(context: FileContext, request: MoveRequest): Promise<void> {
  await context.recorder?.ready();
  await using from = await findSpot(context, bare(request.from), false);
  await using to = await findSpot(context, bare(request.to), false);
  const reason = `move ${request.from} to ${request.to}`;
  const ends = [from, to].map(({ real }) => ({
    target: { path: real, kind: "file" as const },
    access: "write" as const,
  }));
  for (const { real } of [from, to]) refuseOurs(context, real);
  await context.pass.requireAll(ends, reason);
  refuseRoot(context, from.real, "moved");
  if (from.missing.length > 0) throw fileError(from.error, request.from);
  const source = inside(from.directory, from.name);
  const found = await lstat(source).catch((error: unknown) => {
    throw fileError(error, request.from);
  });
  await using parent = await pinParent(to, request.to, request.parents === true, context.umask);
  const target = inside(parent, to.name);
  try {
    await context.recorder?.before([
      { path: to.real, at: target, after: { takenFrom: source }, made: madeFor(to) },
      { path: from.real, at: source, after: { type: "absent" }, made: [] },
    ]);
    if (request.overwrite) await rename(source, target);
    else if (found.isDirectory()) await renameDirectory(source, target, request.to);
    else await renameFile(source, target);
  } catch (error) {
    throw fileError(error, `${request.from} -> ${request.to}`);
  }
}

/** A hard link refuses an existing name, which rename does not. */
async function renameFile(source: string, target: string): Promise<void> {
  try {
    await link(source, target);
  } catch (error) {
    // File systems without hard links: looking first is the best there is.
    if (!["EPERM", "EOPNOTSUPP", "ENOTSUP", "EMLINK"].includes(codeOf(error) ?? "")) throw error;
    await refuseExisting(target, target);
    return rename(source, target);
  }
  await unlink(source);
}

async function renameDirectory(source: string, target: string, asked: string): Promise<void> {
  await refuseExisting(target, asked);
  await rename(source, target);
}

async function refuseExisting(target: string, asked: string): Promise<void> {
  const found = await lstat(target).catch((error: unknown) => {
    if (codeOf(error) !== "ENOENT") throw error;
  });
  if (found !== undefined) throw new RemoteError("EEXIST", `already exists: ${asked}`);
}

export interface MkdirRequest {
  path: string;
  /** Makes what is missing above it, and is content with a directory that is there. */
  parents?: boolean | undefined;
}

export async function mkdir(context: FileContext, { path, parents }: MkdirRequest): Promise<void> {
  await using spot = await findSpot(context, bare(path), false);
  refuseOurs(context, spot.real);
  await context.pass.require({ path: spot.real, kind: "directory" }, "write", `make the directory ${path}`);
  await using parent = await pinParent(spot, path, parents === true, context.umask);
  const target = inside(parent, spot.name);
  try {
    await makeDirectory(target, 0o777 & ~context.umask);
  } catch (error) {
    if (codeOf(error) !== "EEXIST" || !parents || !(await isDirectory(target))) throw fileError(error, path);
  }
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    await using _pinned = await pin(path, { directory: true });
    return true;
  } catch (error) {
    if (codeOf(error) === "ENOTDIR" || codeOf(error) === "ENOENT") return false;
    throw error;
  }
}

function bare(path: string): string {
  return path.replace(/(?<=[^/])\/+$/, "");
}
