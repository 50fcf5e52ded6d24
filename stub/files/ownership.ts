// What a file that takes another's place takes over from it: owner, group and mode, as far as we may. Not kept are extended
// attributes and ACLs, which Node cannot set, and other hard links, which stay with the old content.
import type { Stats } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { codeOf } from "../../protocol/errors.js";

export interface Kept {
  owner: boolean;
  group: boolean;
}

export type Owned = Pick<Stats, "uid" | "gid" | "mode">;

/** A new file has what the user's umask leaves. */
export async function adopt(file: FileHandle, old: Owned | undefined, umask: number): Promise<void> {
  if (old === undefined) return file.chmod(0o666 & ~umask);
  const mine = await file.stat();
  const kept = { owner: mine.uid === old.uid, group: mine.gid === old.gid };
  if (!kept.owner || !kept.group) {
    const both = await mayChown(file, old.uid, old.gid);
    const group = both || kept.group || (await mayChown(file, mine.uid, old.gid));
    Object.assign(kept, { owner: both || kept.owner, group });
  }
  await file.chmod(modeFor(old.mode, kept));
}

/** What was meant for another owner or group is not given to ours. */
export function modeFor(mode: number, { owner, group }: Kept): number {
  let allowed = mode & 0o7777;
  if (!owner) allowed &= ~0o4000;
  if (!group) {
    const others = allowed & 0o007;
    allowed &= ~0o2070 | (others << 3);
  }
  return allowed;
}

async function mayChown(file: FileHandle, uid: number, gid: number): Promise<boolean> {
  try {
    await file.chown(uid, gid);
    return true;
  } catch (error) {
    if (codeOf(error) !== "EPERM" && codeOf(error) !== "EINVAL") throw error;
    return false;
  }
}
