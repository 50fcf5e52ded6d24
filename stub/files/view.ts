// GET /file/view: what OpenCode's read tool shows of a path, in one round trip.
import { type FileHandle, readdir } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { codeOf, RemoteError } from "../../protocol/errors.js";
import type { FileView } from "../../protocol/file.js";
import { type FileContext, type OpenedFile, openToRead } from "./access.js";
import { LineReader } from "./lines.js";
import { compareNames, readEntries } from "./list.js";
import { absolutePath, locate } from "./locate.js";
import { decodeText, isBinary, mediaType } from "./media.js";
import { fileError } from "./pin.js";
import { readTag } from "./tag.js";

const LINES = 2000;
const MEDIA_BYTES = 20 * 1024 * 1024;
const CONTENT_BYTES = 1024 * 1024;
const CHUNK = 256 * 1024;
const SUGGESTIONS = 3;

export interface ViewRequest {
  path: string;
  /** First line, or entry, from 1. */
  offset?: number | undefined;
  limit?: number | undefined;
}

/** Throws ENOENT with `details.suggestions`: up to three absolute paths that may have been meant. */
export async function view(context: FileContext, request: ViewRequest): Promise<FileView> {
  try {
    await using file = await openToRead(context, request.path, `read ${request.path}`);
    return file.kind === "directory"
      ? await viewDirectory(file, request)
      : await viewFile(file, request, context.pass.asker.signal);
  } catch (error) {
    const failure = fileError(error, request.path);
    if (failure.code !== "ENOENT") throw failure;
    const suggestions = await suggest(context, request.path);
    throw new RemoteError("ENOENT", failure.message, { cause: error, details: { suggestions } });
  }
}

async function viewFile(
  { handle, real }: OpenedFile,
  { offset = 1, limit = LINES }: ViewRequest,
  signal: AbortSignal,
): Promise<FileView> {
  const { tag, size, content } = await readTag(handle);
  const start = content?.subarray(0, 4096) ?? (await readAt(handle, 0, 4096));
  const mime = mediaType(start);
  if (mime !== undefined && size <= MEDIA_BYTES) {
    const base64 = (content ?? (await readAt(handle, 0, size))).toString("base64");
    return { type: "media", path: real, tag, size, mime, base64 };
  }
  if (mime !== undefined || isBinary(real, start)) return { type: "binary", path: real, size };
  const reader = new LineReader(offset, limit);
  if (content === undefined) await feed(handle, reader, signal);
  else reader.push(content);
  const shown: FileView = { type: "text", path: real, tag, size, lineStart: offset, ...reader.result() };
  const text = content !== undefined && size <= CONTENT_BYTES ? decodeText(content) : undefined;
  return text === undefined ? shown : { ...shown, content: text };
}

async function viewDirectory(file: OpenedFile, { path, offset = 1, limit = LINES }: ViewRequest): Promise<FileView> {
  const entries = await readEntries(file.handle.fd, path);
  const names = entries.map(({ name, kind }) => (kind === "directory" ? `${name}/` : name)).sort(compareNames);
  const shown = names.slice(offset - 1, offset - 1 + limit);
  const truncated = offset - 1 + shown.length < names.length;
  return { type: "directory", path: file.real, entries: shown, total: names.length, truncated };
}

/** A file of many gigabytes takes its time: it is not read on for a client that has gone. */
async function feed(handle: FileHandle, reader: LineReader, signal: AbortSignal): Promise<void> {
  const buffer = Buffer.allocUnsafe(CHUNK);
  for (let position = 0; ; ) {
    if (signal.aborted) throw new RemoteError("aborted", "the request has ended");
    const { bytesRead } = await handle.read(buffer, 0, CHUNK, position);
    if (bytesRead === 0) return;
    reader.push(buffer.subarray(0, bytesRead));
    position += bytesRead;
  }
}

async function readAt(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await handle.read(buffer, filled, length - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return buffer.subarray(0, filled);
}

/** Names beside the missing one that contain it or are contained in it; only where listing them is approved. */
async function suggest(context: FileContext, path: string): Promise<string[]> {
  try {
    const absolute = absolutePath(path, context.base);
    const located = await locate(dirname(absolute), { directory: true });
    await using directory = located.found ? located.pin : located.ancestor;
    if (!located.found || !context.pass.allows(directory.real, "read")) return [];
    const wanted = basename(absolute).toLowerCase();
    const isLike = (name: string) => name.includes(wanted) || wanted.includes(name);
    const names = (await readdir(directory.path)).filter((name) => isLike(name.toLowerCase()));
    return names.slice(0, SUGGESTIONS).map((name) => `${directory.real === "/" ? "" : directory.real}/${name}`);
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return [];
  }
}
