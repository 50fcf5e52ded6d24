// One path brought from what is there to what is wanted, by the file API's own operations: pinned, atomic, approved.
import { rmdir, symlink } from "node:fs/promises";
import { codeOf, RemoteError } from "../../protocol/errors.js";
import { type FileContext, findSpot } from "../files/access.js";
import type { FileState } from "../files/change-recorder.js";
import { pinParent } from "../files/parents.js";
import { fileError, inside } from "../files/pin.js";
import { remove } from "../files/remove.js";
import { writeFile } from "../files/write.js";
import { type Looked, lookAt } from "./file-state.js";

/** What is at a canonical path. Throws `conflict` where the path leads elsewhere by now, `permission_required` where it is not approved. */
export async function lookAtPath(context: FileContext, path: string): Promise<Looked> {
  await using spot = await findSpot(context, path, false);
  if (spot.real !== path) throw new RemoteError("conflict", `leads to ${spot.real} now: ${path}`);
  if (!context.pass.allows(path, "write")) throw new RemoteError("permission_required", `not approved: ${path}`);
  return spot.missing.length > 0 ? { state: { type: "absent" } } : await lookAt(inside(spot.directory, spot.name));
}

/** `content`: of a file that is wanted. Throws `conflict` where something else than `now` is there. */
export async function putBack(
  context: FileContext,
  path: string,
  { now, goal, content }: { now: FileState; goal: FileState; content: Uint8Array | undefined },
): Promise<"written" | "removed"> {
  const tag = now.type === "file" ? now.tag : undefined;
  if (goal.type === "absent") {
    await remove(context, { path, ifMatch: tag });
    return "removed";
  }
  if (goal.type === "link") {
    if (now.type !== "absent") await remove(context, { path, ifMatch: tag });
    await placeLink(context, path, goal.target);
    return "written";
  }
  if (goal.type !== "file" || content === undefined) throw new RemoteError("internal", `nothing is kept of ${path}`);
  // A write would follow it.
  if (now.type === "link") await remove(context, { path });
  await writeFile(context, { path, data: content, ifMatch: tag ?? "absent", parents: true, like: goal });
  return "written";
}

async function placeLink(context: FileContext, path: string, target: string): Promise<void> {
  await using spot = await findSpot(context, path, false);
  await context.pass.require({ path: spot.real, kind: "file" }, "write", `put back ${path}`);
  await using parent = await pinParent(spot, path, true, context.umask);
  await symlink(target, inside(parent, spot.name)).catch((error: unknown) => {
    throw fileError(error, path);
  });
}

/** What a change has made for its file goes where nothing else is in it. */
export async function removeMade(context: FileContext, directories: Iterable<string>): Promise<void> {
  const deepestFirst = [...new Set(directories)].sort((a, b) => b.length - a.length);
  for (const path of deepestFirst) {
    await using spot = await findSpot(context, path, false);
    if (spot.real !== path || spot.missing.length > 0 || !context.pass.allows(path, "write")) continue;
    await rmdir(inside(spot.directory, spot.name)).catch((error: unknown) => {
      // Somebody has put something in, or taken it away: it is theirs.
      if (codeOf(error) === undefined) throw error;
    });
  }
}
