// PUT /file/content: the new content beside the old under a temporary name, synced, then renamed over it. Whoever reads sees
// the old file or the new one; the parent is held, so that no swapped link can lead the write elsewhere.
import { constants, type Stats } from "node:fs";
import { lstat, open, rename, unlink } from "node:fs/promises";
import { codeOf, ignoreMissing, RemoteError } from "../../protocol/errors.js";
import type { FileWritten } from "../../protocol/file.js";
import { type FileContext, findSpot, refuseOurs, type Spot } from "./access.js";
import type { FileState } from "./change-recorder.js";
import { inTurn } from "./in-turn.js";
import { adopt, type Owned } from "./ownership.js";
import { madeFor, pinParent } from "./parents.js";
import { fileError, inside, type Pin } from "./pin.js";
import { HASHED_BYTES, readTag, tagOfContent, tagOfStat } from "./tag.js";
import { temporaryName } from "./temporaries.js";

export interface WriteRequest {
  path: string;
  data: Uint8Array;
  /** Tag of the last read, or `absent`; another version there throws `conflict`. */
  ifMatch?: string | undefined;
  parents?: boolean | undefined;
  /** Whose and of which mode a new file is to be; default: the user's. */
  like?: Owned | undefined;
}

export async function writeFile(context: FileContext, request: WriteRequest): Promise<FileWritten> {
  const { path } = request;
  await context.recorder?.ready();
  await using spot = await findSpot(context, path, true);
  refuseOurs(context, spot.real);
  await context.pass.require({ path: spot.real, kind: "file" }, "write", `write ${path}`);
  await using parent = await pinParent(spot, path, request.parents === true, context.umask);
  try {
    return await replace(context, parent, spot, request);
  } catch (error) {
    throw fileError(error, path);
  }
}

async function replace(
  context: FileContext,
  parent: Pin,
  spot: Spot,
  { path, data, ifMatch, like }: WriteRequest,
): Promise<FileWritten> {
  const { name, real } = spot;
  const target = inside(parent, name);
  const old = await statFile(target, path);
  const temporaryFile = temporaryName(name);
  const temporary = inside(parent, temporaryFile);
  await using _note = await context.temporaries?.hold(`${parent.real === "/" ? "" : parent.real}/${temporaryFile}`);
  const file = await open(
    temporary,
    constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
    0o600,
  );
  try {
    let tag: string;
    let after: FileState;
    try {
      await file.writeFile(data);
      await adopt(file, old ?? like, context.umask);
      await file.sync();
      tag = data.length > HASHED_BYTES ? tagOfStat(await file.stat({ bigint: true })) : tagOfContent(data);
      const { mode, uid, gid } = await file.stat();
      after = { type: "file", tag, mode: mode & 0o7777, uid, gid };
    } finally {
      await file.close();
    }
    await inTurn(real, async () => {
      if (ifMatch !== undefined) await compare(target, ifMatch, path);
      await context.recorder?.before([{ path: real, at: target, after, made: madeFor(spot) }]);
      await rename(temporary, target);
    });
    return { path: real, tag, size: data.length, existed: old !== undefined };
  } catch (error) {
    await unlink(temporary).catch(ignoreMissing);
    throw error;
  }
}

/** The file that is there now; undefined where there is none. A link can only be there if it was put there just now, or leads nowhere. */
async function statFile(target: string, asked: string): Promise<Stats | undefined> {
  const found = await lstat(target).catch(ignoreMissing);
  if (found === undefined) return undefined;
  if (found.isSymbolicLink()) throw new RemoteError("ELOOP", `a symbolic link that leads nowhere: ${asked}`);
  if (found.isDirectory()) throw new RemoteError("EISDIR", `is a directory: ${asked}`);
  if (!found.isFile()) throw new RemoteError("EINVAL", `not a regular file: ${asked}`);
  return found;
}

/** Throws `conflict` with the tag that is there now in `details`. */
export async function compare(target: string, ifMatch: string, asked: string): Promise<void> {
  const tag = await currentTag(target);
  if (tag === ifMatch) return;
  throw new RemoteError("conflict", tag === "absent" ? `no longer there: ${asked}` : `changed meanwhile: ${asked}`, {
    details: { path: asked, tag },
  });
}

async function currentTag(target: string): Promise<string> {
  try {
    await using file = await open(target, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    return (await readTag(file)).tag;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return "absent";
    throw error;
  }
}
