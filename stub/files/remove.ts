// DELETE /file. A tree is taken down through descriptors: each directory is pinned before it is read, no link is followed.
import { lstat, readdir, rmdir, unlink } from "node:fs/promises";
import { ignoreMissing, RemoteError } from "../../protocol/errors.js";
import { type FileContext, findSpot, refuseOurs } from "./access.js";
import { inTurn } from "./in-turn.js";
import { fileError, inside, type Pin, pin } from "./pin.js";
import { compare } from "./write.js";

export interface RemoveRequest {
  path: string;
  /** Without it a directory throws EISDIR. */
  recursive?: boolean | undefined;
  ifMatch?: string | undefined;
}

/** Removes a link itself, never what it leads to. Throws ENOENT where nothing is there. */
export async function remove(context: FileContext, request: RemoveRequest): Promise<void> {
  const { path } = request;
  await context.recorder?.ready();
  await using spot = await findSpot(context, path.replace(/(?<=[^/])\/+$/, ""), false);
  refuseOurs(context, spot.real);
  await context.pass.require({ path: spot.real, kind: "file" }, "write", `remove ${path}`);
  refuseRoot(context, spot.real, "removed");
  try {
    if (spot.missing.length > 0) throw spot.error;
    const target = inside(spot.directory, spot.name);
    const found = await lstat(target);
    if (!found.isDirectory()) {
      await inTurn(spot.real, async () => {
        if (request.ifMatch !== undefined) await compare(target, request.ifMatch, path);
        await context.recorder?.before([{ path: spot.real, at: target, after: { type: "absent" }, made: [] }]);
        await unlink(target);
      });
    } else if (request.recursive) {
      await context.recorder?.before([{ path: spot.real, at: target, after: { type: "absent" }, made: [] }]);
      await removeTree(spot.directory, spot.name);
    } else {
      throw new RemoteError("EISDIR", `is a directory: ${path}`, {
        hint: "recursive=true removes it with all it holds",
      });
    }
  } catch (error) {
    throw fileError(error, path);
  }
}

/** The workspace's own directory is neither removed nor moved through the file API. */
export function refuseRoot(context: FileContext, real: string, done: string): void {
  if (real === context.base.directory)
    throw new RemoteError("EBUSY", `the workspace's own directory is not ${done}: ${real}`);
}

async function removeTree(parent: Pin, name: string): Promise<void> {
  const path = inside(parent, name);
  {
    await using directory = await pin(path, { directory: true, noFollow: true });
    for (const entry of await readdir(directory.path, { withFileTypes: true })) {
      if (entry.isDirectory()) await removeTree(directory, entry.name);
      else await unlink(inside(directory, entry.name)).catch(ignoreMissing);
    }
  }
  await rmdir(path);
}
