// What several test processes make for all of them below .cache/kernels is made by one at a time: apt has one folder for each release.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import lockfile from "proper-lockfile";
import { CACHE } from "./debian.js";

/** Waits as long as it takes: whoever holds it says every few seconds that it lives. */
export async function exclusively<T>(what: string, work: () => Promise<T>): Promise<T> {
  await mkdir(CACHE, { recursive: true });
  const retries = { forever: true, minTimeout: 100, maxTimeout: 1000 };
  const release = await lockfile.lock(join(CACHE, what), { realpath: false, stale: 30_000, retries });
  try {
    return await work();
  } finally {
    await release();
  }
}
