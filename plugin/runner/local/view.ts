// What the read tool shows of a local file; the same answer as the stub's GET /file/view.
import { extname } from "node:path";
import type { FileView } from "../../../protocol/file.js";
import { listDirectory, readBytes, statFile } from "./files.js";

const DEFAULT_LINES = 2000;
const LINE_LIMIT = 2000;
const TEXT_LIMIT = 50 * 1024;
const CONTENT_LIMIT = 1024 * 1024;
const MEDIA_LIMIT = 20 * 1024 * 1024;

const MEDIA: Record<string, string> = {
  ".png": "image/png",
  ".jpg": "image/jpeg",
  ".jpeg": "image/jpeg",
  ".gif": "image/gif",
  ".webp": "image/webp",
  ".pdf": "application/pdf",
};

/** `path` is canonical and allowed; `offset` is the first line, from 1. */
export async function viewFile(path: string, offset = 1, limit = DEFAULT_LINES): Promise<FileView> {
  const { type, size } = await statFile(path);
  if (type === "directory") return await viewDirectory(path, offset, limit);
  const mime = MEDIA[extname(path).toLowerCase()];
  if (mime !== undefined && size <= MEDIA_LIMIT) {
    const { data, tag } = await readBytes(path, {});
    return { type: "media", path, tag, size, mime, base64: Buffer.from(data).toString("base64") };
  }
  const { data, tag } = await readBytes(path, {});
  if (data.includes(0)) return { type: "binary", path, size };
  const whole = decode(data);
  const text = whole ?? Buffer.from(data).toString("utf8");
  const content = whole !== undefined && size <= CONTENT_LIMIT ? { content: whole } : {};
  return { type: "text", path, tag, size, ...cut(linesOf(text), offset, limit), ...content };
}

async function viewDirectory(path: string, offset: number, limit: number): Promise<FileView> {
  const all = (await listDirectory(path)).map(({ name, type }) => (type === "directory" ? `${name}/` : name)).sort();
  const entries = all.slice(offset - 1, offset - 1 + limit);
  const truncated = offset - 1 + entries.length < all.length;
  return { type: "directory", path, entries, total: all.length, truncated };
}

function cut(all: string[], lineStart: number, limit: number) {
  const lines: string[] = [];
  let bytes = 0;
  let truncated: "lines" | "bytes" | null = null;
  for (const line of all.slice(lineStart - 1)) {
    const shown = line.length > LINE_LIMIT ? `${line.slice(0, LINE_LIMIT)}...` : line;
    const size = Buffer.byteLength(shown) + 1;
    if (lines.length === limit) truncated = "lines";
    else if (bytes + size > TEXT_LIMIT) truncated = "bytes";
    if (truncated !== null) break;
    bytes += size;
    lines.push(shown);
  }
  return { lines, lineStart, totalLines: all.length, truncated };
}

function linesOf(text: string): string[] {
  if (text === "") return [];
  const lines = text.split(/\r?\n/);
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

/** undefined where it is no valid UTF-8. */
function decode(data: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}
