// How the build writes into dist/, where tests and people may be running what was built before.
import { existsSync } from "node:fs";
import { chmod, mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";

/** Whole or not at all, also for who is reading or executing it now; untouched where nothing changed. */
export async function replaceFile(path: string, bytes: Uint8Array, mode: number): Promise<void> {
  if (existsSync(path) && (await readFile(path)).equals(bytes)) return;
  await mkdir(dirname(path), { recursive: true });
  const temporary = `${path}.new-${process.pid}`;
  await writeFile(temporary, bytes);
  await chmod(temporary, mode);
  await rename(temporary, path);
}
