// GET /file/content and GET /file/stat.
import { RemoteError } from "../../protocol/errors.js";
import type { FileStat } from "../../protocol/file.js";
import { type FileContext, openToRead, pinToRead } from "./access.js";
import { fileError, reopen } from "./pin.js";
import { readTag } from "./tag.js";

/** More than this in one answer must be read in ranges. */
const READ_LIMIT = 64 * 1024 * 1024;

export interface FileBytes {
  /** Canonical real path. */
  path: string;
  data: Buffer;
  /** Of the whole file, bytes. */
  size: number;
  tag: string;
}

/** `most`: more than this throws `answer_too_large`, before it is read where that can be known. */
export async function readFile(
  context: FileContext,
  path: string,
  range: { offset?: number | undefined; length?: number | undefined } = {},
  most = READ_LIMIT,
): Promise<FileBytes> {
  await using file = await openToRead(context, path, `read ${path}`);
  if (file.kind === "directory") throw new RemoteError("EISDIR", `is a directory: ${path}`);
  try {
    const { tag, size, content } = await readTag(file.handle);
    const offset = Math.min(range.offset ?? 0, size);
    const length = Math.min(range.length ?? size, size - offset);
    if (length > most && most < READ_LIMIT) throw new RemoteError("answer_too_large", `${length} bytes: ${path}`);
    if (content !== undefined) return { path: file.real, data: content.subarray(offset, offset + length), size, tag };
    if (length > READ_LIMIT) {
      throw new RemoteError("EFBIG", `${length} bytes in one answer are too many: ${path}`, {
        hint: `read at most ${READ_LIMIT} bytes at a time, with offset and length`,
      });
    }
    const data = Buffer.alloc(length);
    let filled = 0;
    while (filled < length) {
      const { bytesRead } = await file.handle.read(data, filled, length - filled, offset + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return { path: file.real, data: data.subarray(0, filled), size, tag };
  } catch (error) {
    throw fileError(error, path);
  }
}

export async function statFile(context: FileContext, path: string): Promise<FileStat> {
  await using pinned = await pinToRead(context, path, `look at ${path}`);
  try {
    const { size, mode, mtimeMs } = await pinned.handle.stat();
    const stat: FileStat = { path: pinned.real, type: pinned.kind, size, mode: mode & 0o7777, mtime: mtimeMs };
    if (pinned.kind !== "file") return stat;
    const tag = await tagWhereReadable(() => reopen(pinned));
    return tag === undefined ? stat : { ...stat, tag };
  } catch (error) {
    throw fileError(error, path);
  }
}

async function tagWhereReadable(open: () => ReturnType<typeof reopen>): Promise<string | undefined> {
  try {
    await using handle = await open();
    return (await readTag(handle)).tag;
  } catch (error) {
    if (fileError(error, "").code === "EACCES") return undefined;
    throw error;
  }
}
