// The helper confines every command, so what is started must be the one that the build made: a byte that rotted on a disk, or was
// changed, refuses to work instead of confining less.
import { createHash } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { codeOf, RemoteError } from "../protocol/errors.js";

/** SHA-256 in hex of the helper that was built with this stub; esbuild replaces it. From sources there is none to compare with. */
declare const __HELPER_SHA256__: string | undefined;
const BUILT = typeof __HELPER_SHA256__ === "string" ? __HELPER_SHA256__ : undefined;

/** What stat said when the hash was right; a change of the file changes its ctime, which nobody can set. */
const known = new Map<string, string>();

/**
 * `path`, to be started now. Looks at the file each time, and reads it only if it has changed since: call it before every start.
 * Throws `helper_damaged`.
 */
export function checkedHelper(path: string, sha256 = BUILT): string {
  if (sha256 === undefined) return path;
  try {
    const before = fingerprint(path);
    if (known.get(path) === before + sha256) return path;
    const found = createHash("sha256").update(readFileSync(path)).digest("hex");
    if (found !== sha256) throw damaged(path, `its hash is ${found}, not ${sha256}`);
    // what was read is what stat saw, or the next start reads again
    known.set(path, before + sha256);
    return path;
  } catch (error) {
    if (codeOf(error) === "helper_damaged") throw error;
    throw damaged(path, String(error), error);
  }
}

function fingerprint(path: string): string {
  const { dev, ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
  return [dev, ino, size, mtimeNs, ctimeNs, ""].join(" ");
}

function damaged(path: string, why: string, cause?: unknown): RemoteError {
  return new RemoteError("helper_damaged", `${path} is not the helper that was installed: ${why}`, { cause });
}
