// A file of the host as edit and write need it: its text and its version tag, from what the session has read where it has.
import { codeOf, RemoteError } from "../../protocol/errors.js";
import { decodeText } from "./byte-order-mark.js";
import type { CachedFile, ReadCache } from "./read-cache.js";
import type { Call } from "./tools/tool-host.js";

/** Larger files are no text that a model edits. */
const LIMIT = 16 * 1024 * 1024;

/** Undefined where there is no such file. `fresh` asks the host even where the file was read before. */
export async function currentFile(
  call: Call,
  cache: ReadCache,
  path: string,
  fresh: boolean,
): Promise<CachedFile | undefined> {
  const sessionID = call.context.sessionID;
  const known = fresh ? undefined : cache.get(sessionID, path);
  if (known) return known;
  try {
    const { data, tag, size } = await call.session.readFile(path, { ...call.options, length: LIMIT });
    if (size > LIMIT) throw new RemoteError("EFBIG", `${path} has ${size} bytes; this tool takes at most ${LIMIT}`);
    const file = { text: decodeText(data), tag };
    cache.set(sessionID, path, file);
    return file;
  } catch (error) {
    cache.delete(sessionID, path);
    if (codeOf(error) === "ENOENT") return undefined;
    if (codeOf(error) === "EISDIR") throw new Error(`Path is a directory, not a file: ${path}`);
    throw error;
  }
}

/**
 * Runs `attempt` with the file; where the host finds another version than the one that was read, once more with the
 * new one. `attempt` asks and writes with the file's tag (`absent` where there is none).
 */
export async function withCurrentFile<T>(
  call: Call,
  cache: ReadCache,
  path: string,
  attempt: (file: CachedFile | undefined) => Promise<T>,
): Promise<T> {
  const known = cache.get(call.context.sessionID, path) !== undefined;
  try {
    return await attempt(await currentFile(call, cache, path, false));
  } catch (error) {
    // The model's oldString is not in what was read before: the file may have changed since.
    const mayBeStale = codeOf(error) === "conflict" || (known && !(error instanceof RemoteError) && isEditError(error));
    if (!mayBeStale) throw error;
    return await attempt(await currentFile(call, cache, path, true));
  }
}

/** Thrown by an attempt that could not be made on this text. */
export class EditError extends Error {}

function isEditError(error: unknown): boolean {
  return error instanceof EditError;
}
