// A file is either the old one or the new one, also after a kill or a power cut: temporary name, fsync, rename, fsync of the directory.

import { randomBytes } from "node:crypto";
import { open, rename, unlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { ignoreMissing } from "../../protocol/errors.js";

/** Names of files that a kill in the middle of `writeAtomic` leaves behind; nobody reads them. */
export const TEMPORARY = /^\..+\.[0-9a-f]{12}\.tmp$/;

/** Replaces `path` by `data` with mode 0600. Throws node's errors; on failure the old file is as it was and nothing is left behind. */
export async function writeAtomic(path: string, data: string | Uint8Array): Promise<void> {
  await replaceFile(path, data, true);
}

/** The same without waiting for the disk: a kill leaves the old file or the new one, a power cut may leave neither. */
export async function writeQuickly(path: string, data: string | Uint8Array): Promise<void> {
  await replaceFile(path, data, false);
}

async function replaceFile(path: string, data: string | Uint8Array, durable: boolean): Promise<void> {
  const directory = dirname(path);
  // Opened first: where that fails, nothing has happened yet.
  await using parent = await open(directory, "r");
  const temporary = join(directory, `.${basename(path)}.${randomBytes(6).toString("hex")}.tmp`);
  try {
    const file = await open(temporary, "wx", 0o600);
    try {
      await file.writeFile(data);
      if (durable) await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await unlink(temporary).catch(ignoreMissing);
    throw error;
  }
  if (durable) await parent.sync();
}

/** Removes a file for good; a missing one is no error. */
export async function removeDurably(path: string): Promise<void> {
  await using parent = await open(dirname(path), "r");
  await unlink(path).catch(ignoreMissing);
  await parent.sync();
}
