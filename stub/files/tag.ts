// Version tags: what `ifMatch` compares. By content up to 16 MiB, by identity, size and time above.
import { createHash } from "node:crypto";
import type { BigIntStats } from "node:fs";
import type { FileHandle } from "node:fs/promises";

export const HASHED_BYTES = 16 * 1024 * 1024;

export function tagOfContent(data: Uint8Array): string {
  return `h${createHash("sha256").update(data).digest("base64url")}`;
}

export function tagOfStat({ dev, ino, size, mtimeNs }: BigIntStats): string {
  return `s${dev}-${ino}-${size}-${mtimeNs}`;
}

/** Of an open regular file, with its content where that had to be read anyway (up to 16 MiB). */
export async function readTag(handle: FileHandle): Promise<{ tag: string; size: number; content?: Buffer }> {
  const stat = await handle.stat({ bigint: true });
  if (stat.size > BigInt(HASHED_BYTES)) return { tag: tagOfStat(stat), size: Number(stat.size) };
  const content = await readUpTo(handle, Number(stat.size), HASHED_BYTES + 1);
  if (content.length > HASHED_BYTES) {
    const grown = await handle.stat({ bigint: true });
    return { tag: tagOfStat(grown), size: Number(grown.size) };
  }
  return { tag: tagOfContent(content), size: content.length, content };
}

/** From the start; a file that grows meanwhile is cut at `limit`, one that shrinks is what is left. */
async function readUpTo(handle: FileHandle, size: number, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  while (length < limit) {
    const chunk = Buffer.allocUnsafe(Math.min(limit - length, Math.max(size - length, 0) + 1024));
    const { bytesRead } = await handle.read(chunk, 0, chunk.length, length);
    if (bytesRead === 0) break;
    chunks.push(chunk.subarray(0, bytesRead));
    length += bytesRead;
  }
  return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, length);
}
