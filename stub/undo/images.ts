// The contents that can be put back, each once per session under its tag. All of them together have a limit: where it is
// reached the images of the sessions that were longest at rest go first, then the oldest of the session itself.
import { mkdir, readFile, rm, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import { codeOf, ignoreMissing } from "../../protocol/errors.js";
import { HASHED_BYTES, tagOfContent } from "../files/tag.js";
import { writeQuickly } from "../state/atomic.js";
import { namesIn, type Records } from "./records.js";

interface Image {
  sessionID: string;
  path: string;
  size: number;
  mtimeMs: number;
}

export class Images {
  readonly #records: Records;
  readonly #capBytes: number;
  /** Of all sessions; undefined: not counted yet, or what was counted may be wrong. */
  #total: number | undefined;

  constructor(records: Records, capBytes: number) {
    this.#records = records;
    this.#capBytes = capBytes;
  }

  /**
   * False where it could not be kept: it is larger than all may be, or the disk takes no more. A change does not wait for the
   * disk (`write` is `writeQuickly`): what a power cut tears is noticed when it is read.
   */
  async keep(sessionID: string, tag: string, content: Uint8Array, write = writeQuickly): Promise<boolean> {
    const path = this.#path(sessionID, tag);
    if (await isThere(path)) return true;
    if (content.length > this.#capBytes) return false;
    try {
      await this.#makeRoom(sessionID, content.length);
      await mkdir(this.#directory(sessionID), { recursive: true, mode: 0o700 });
      await write(path, content);
    } catch (error) {
      // A change is not refused because it could not be undone.
      if (codeOf(error) === undefined) throw error;
      return false;
    }
    this.#total = (this.#total ?? 0) + content.length;
    return true;
  }

  has(sessionID: string, tag: string): Promise<boolean> {
    return isThere(this.#path(sessionID, tag));
  }

  /** Undefined where it was let go, or is damaged. */
  async read(sessionID: string, tag: string): Promise<Buffer | undefined> {
    const content = await readFile(this.#path(sessionID, tag)).catch(ignoreMissing);
    return content !== undefined && content.length <= HASHED_BYTES && tagOfContent(content) === tag
      ? content
      : undefined;
  }

  /** Lets go what none of these tags is. */
  async sweep(sessionID: string, wanted: Set<string>): Promise<void> {
    for (const name of await namesIn(this.#directory(sessionID))) {
      if (!wanted.has(name)) await unlink(join(this.#directory(sessionID), name)).catch(ignoreMissing);
    }
    this.forgetTotal();
  }

  /** Something was removed elsewhere. */
  forgetTotal(): void {
    this.#total = undefined;
  }

  async #makeRoom(sessionID: string, size: number): Promise<void> {
    if (this.#total !== undefined && this.#total + size <= this.#capBytes) return;
    const images = await this.#all();
    let total = images.reduce((sum, image) => sum + image.size, 0);
    const latest = new Map<string, number>();
    for (const { sessionID: id, mtimeMs } of images) latest.set(id, Math.max(latest.get(id) ?? 0, mtimeMs));
    const rest = (id: string) => (id === sessionID ? Number.POSITIVE_INFINITY : (latest.get(id) ?? 0));
    images.sort((a, b) => rest(a.sessionID) - rest(b.sessionID) || a.mtimeMs - b.mtimeMs);
    for (const image of images) {
      if (total + size <= this.#capBytes) break;
      await rm(image.path, { force: true });
      total -= image.size;
    }
    this.#total = total;
  }

  async #all(): Promise<Image[]> {
    const images: Image[] = [];
    for (const sessionID of await this.#records.sessionIDs()) {
      for (const name of await namesIn(this.#directory(sessionID))) {
        const path = join(this.#directory(sessionID), name);
        const found = await stat(path).catch(ignoreMissing);
        if (found !== undefined) images.push({ sessionID, path, size: found.size, mtimeMs: found.mtimeMs });
      }
    }
    return images;
  }

  #directory(sessionID: string): string {
    return join(this.#records.sessionDirectory(sessionID), "images");
  }

  /** Tags are letters, digits, `-` and `_`. */
  #path(sessionID: string, tag: string): string {
    return join(this.#directory(sessionID), tag);
  }
}

async function isThere(path: string): Promise<boolean> {
  return (await stat(path).catch(ignoreMissing)) !== undefined;
}
