// Swap-safe access, the first step: hold the object itself (O_PATH), ask the kernel what its real path is, decide on that,
// and from then on use only the descriptor. A path that is walked twice can be two different files.
import { constants } from "node:fs";
import { type FileHandle, lstat, open, readlink } from "node:fs/promises";
import { codeOf, fromSystem, RemoteError } from "../../protocol/errors.js";

const O_PATH = 0o10000000;

export interface Pin extends AsyncDisposable {
  readonly handle: FileHandle;
  /** Canonical real path. */
  readonly real: string;
  /** The path of the pinned object itself, whatever happens to names: valid in this process. */
  readonly path: string;
  readonly kind: "file" | "directory" | "symlink" | "other";
}

export interface PinOptions {
  /** Fail (ENOTDIR) on anything else. */
  directory?: boolean;
  /** Fail on a final symbolic link (ELOOP, with `directory` ENOTDIR). */
  noFollow?: boolean;
}

/** Throws node's errors (ENOENT, ENOTDIR, EACCES, ELOOP…) as they are. Opening with O_PATH waits for nobody and has no effect. */
export async function pin(path: string, options: PinOptions = {}): Promise<Pin> {
  let flags = O_PATH;
  if (options.directory) flags |= constants.O_DIRECTORY;
  if (options.noFollow) flags |= constants.O_NOFOLLOW;
  const handle = await open(path, flags);
  try {
    const self = `/proc/self/fd/${handle.fd}`;
    const status = await handle.stat();
    if (options.noFollow && status.isSymbolicLink())
      throw Object.assign(new Error(`ELOOP: ${path}`), { code: "ELOOP" });
    const kind = status.isFile()
      ? "file"
      : status.isDirectory()
        ? "directory"
        : status.isSymbolicLink()
          ? "symlink"
          : "other";
    const real = await realPath(handle, self, path);
    return { handle, real, kind, path: self, [Symbol.asyncDispose]: () => handle.close() };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Opens the pinned object itself for reading. Throws EACCES as node does. */
export function reopen(pinned: Pin): Promise<FileHandle> {
  return open(pinned.path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
}

/** A name inside a pinned directory: what is done there is done in that directory, wherever it has been moved. */
export function inside(directory: Pin, name: string): string {
  if (name === "" || name === "." || name === ".." || name.includes("/") || name.includes("\0")) {
    throw new RemoteError("invalid_path", `not a name: ${JSON.stringify(name)}`);
  }
  return `${directory.path}/${name}`;
}

async function realPath(handle: FileHandle, self: string, asked: string): Promise<string> {
  const bytes = await readlink(self, "buffer");
  const text = bytes.toString("utf8");
  if (!Buffer.from(text).equals(bytes)) {
    throw new RemoteError("invalid_path", `the real path of ${asked} is not valid UTF-8`);
  }
  if (!text.startsWith("/")) throw new RemoteError("invalid_path", `${asked} is no file of the file system`);
  if (!text.endsWith(" (deleted)")) return text;
  const [mine, named] = await Promise.all([
    handle.stat({ bigint: true }),
    lstat(text, { bigint: true }).catch(missing),
  ]);
  if (named?.ino === mine.ino && named.dev === mine.dev) return text;
  throw new RemoteError("ENOENT", `deleted meanwhile: ${asked}`);
}

function missing(error: unknown): undefined {
  if (codeOf(error) === "ENOENT") return undefined;
  throw error;
}

/** Node's error about `path` (never about a /proc/self/fd of ours) as one of the catalogue. */
export function fileError(error: unknown, path: string): RemoteError {
  if (error instanceof RemoteError) return error;
  const text = error instanceof Error ? error.message : String(error);
  const what = /^[A-Z0-9]+: ([^,]+)/.exec(text)?.[1] ?? text;
  return fromSystem(error, `${what}: ${path}`);
}
