// Where the unix socket is: below the install root, or, where that path is too long for the kernel, in a directory of ours
// that nobody else could have prepared.
import { createHash } from "node:crypto";
import { lstat, mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { codeOf, RemoteError } from "../protocol/errors.js";
import { SOCKET_PATH_MAX } from "../protocol/install.js";

export interface SocketPathOptions {
  wanted: string;
  uid: number;
  /** XDG_RUNTIME_DIR. */
  runtimeDirectory: string | undefined;
}

/** Throws `start_failed` if every place is too long, or belongs to somebody else. */
export async function socketPath({ wanted, uid, runtimeDirectory }: SocketPathOptions): Promise<string> {
  if (Buffer.byteLength(wanted) <= SOCKET_PATH_MAX) return wanted;
  const name = `${createHash("sha256").update(wanted).digest("hex").slice(0, 16)}.sock`;
  const places = [runtimeDirectory, "/tmp"].filter((place) => place?.startsWith("/"));
  const problems: string[] = [];
  for (const place of places) {
    const path = join(place as string, `opencode-remote-ssh-${uid}`, name);
    if (Buffer.byteLength(path) > SOCKET_PATH_MAX) continue;
    const problem = await prepare(dirname(path), uid);
    if (problem === undefined) return path;
    problems.push(problem);
  }
  throw new RemoteError(
    "start_failed",
    `no place for the unix socket: ${problems.join("; ") || "all paths are too long"}`,
    {
      hint: "set XDG_RUNTIME_DIR to a directory of yours with a short path",
    },
  );
}

async function prepare(directory: string, uid: number): Promise<string | undefined> {
  try {
    await mkdir(directory, { mode: 0o700 });
  } catch (error) {
    if (codeOf(error) !== "EEXIST") return `${directory}: ${codeOf(error)}`;
  }
  const found = await lstat(directory);
  const ours = found.isDirectory() && found.uid === uid && (found.mode & 0o077) === 0;
  return ours ? undefined : `${directory} is not a 0700 directory of ours`;
}
