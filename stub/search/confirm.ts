// ripgrep walks by name, so a link that is swapped in while it walks can lead it outside. What it found counts only when a pinned
// file inside what was approved says the same.
import type { FileHandle } from "node:fs/promises";
import { codeOf } from "../../protocol/errors.js";
import { isWithin } from "../../protocol/paths.js";
import { type Pin, pin, reopen } from "../files/pin.js";
import type { FoundLine } from "./match.js";

const AT_ONCE = 4;
/** A file in UTF-16 is read whole, because ripgrep shows another text than its bytes. */
const WHOLE_BYTES = 16 * 1024 * 1024;

/** Where ripgrep ran, and the canonical path that is approved: that directory, or the one file that is searched there. */
export interface Searched {
  directory: Pin;
  approved: string;
}

/** In the same order; what cannot be confirmed is left out. */
export async function confirmLines(searched: Searched, lines: FoundLine[]): Promise<FoundLine[]> {
  const byPath = new Map<string, FoundLine[]>();
  for (const line of lines) {
    const { text } = line.match.path;
    const beside = byPath.get(text);
    if (beside === undefined) byPath.set(text, [line]);
    else beside.push(line);
  }
  const kept = new Set<FoundLine>();
  await several([...byPath], async ([path, found]) => {
    await using pinned = await pinInside(searched, path);
    if (pinned?.kind !== "file") return;
    await using file = await reopen(pinned);
    for (const line of found) if (await holds(file, line)) kept.add(line);
  });
  return lines.filter((line) => kept.has(line));
}

/** Names of files or directories (with a slash) that are there. */
export async function confirmNames(searched: Searched, names: string[]): Promise<string[]> {
  const kept = new Set<string>();
  await several(names, async (name) => {
    await using pinned = await pinInside(searched, name.replace(/\/$/, ""));
    if (pinned !== undefined) kept.add(name);
  });
  return names.filter((name) => kept.has(name));
}

async function pinInside({ directory, approved }: Searched, path: string): Promise<Pin | undefined> {
  const pinned = await pin(`${directory.path}/${path}`, { noFollow: true });
  if (isWithin(pinned.real, approved)) return pinned;
  await pinned[Symbol.asyncDispose]();
  return undefined;
}

async function holds(file: FileHandle, { match, start }: FoundLine): Promise<boolean> {
  const buffer = Buffer.alloc(start.length);
  // A byte order mark is not counted by ripgrep.
  for (const mark of [0, 3]) {
    const { bytesRead } = await file.read(buffer, 0, buffer.length, match.absolute_offset + mark);
    if (bytesRead === start.length && buffer.equals(start)) return true;
  }
  const { bytesRead } = await file.read(buffer, 0, 2, 0);
  const [first, second] = buffer;
  if (bytesRead < 2 || !((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff))) return false;
  const { size } = await file.stat();
  if (size > WHOLE_BYTES) return false;
  const whole = Buffer.alloc(size);
  await file.read(whole, 0, size, 0);
  return new TextDecoder(first === 0xff ? "utf-16le" : "utf-16be").decode(whole).includes(start.toString("utf8"));
}

/** What is gone, unreadable or a link by now is simply not confirmed. */
async function several<T>(items: T[], work: (item: T) => Promise<void>): Promise<void> {
  const left = items.values();
  const worker = async () => {
    for (const item of left) {
      await work(item).catch((error: unknown) => {
        if (codeOf(error) === undefined) throw error;
      });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}
