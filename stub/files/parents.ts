// Making directories one by one, each inside the pinned one before it, so that none can lead elsewhere.
import { mkdir } from "node:fs/promises";
import { codeOf } from "../../protocol/errors.js";
import type { Spot } from "./access.js";
import { fileError, inside, type Pin, pin } from "./pin.js";

const DIRECTORY_MODE = 0o777;

/**
 * The directory that is to hold the spot's name. With `create` what is missing is made (mode 0777 less `umask`), else the
 * error of the missing parent is thrown. The caller disposes of what is returned; the spot's own pin stays the spot's.
 */
export async function pinParent(spot: Spot, asked: string, create: boolean, umask: number): Promise<Pin> {
  const keep: Pin = { ...spot.directory, [Symbol.asyncDispose]: () => Promise.resolve() };
  if (spot.missing.length === 0) return keep;
  if (!create) throw fileError(spot.error, asked);
  let current = keep;
  for (const name of spot.missing) {
    try {
      const next = await makeDirectory(current, name, umask);
      await current[Symbol.asyncDispose]();
      current = next;
    } catch (error) {
      await current[Symbol.asyncDispose]();
      throw fileError(error, asked);
    }
  }
  return current;
}

/** The directories that `pinParent` makes for a spot, outermost first. */
export function madeFor({ directory, missing }: Spot): string[] {
  const base = directory.real === "/" ? "" : directory.real;
  return missing.map((_, index) => `${base}/${missing.slice(0, index + 1).join("/")}`);
}

async function makeDirectory(parent: Pin, name: string, umask: number): Promise<Pin> {
  const path = inside(parent, name);
  try {
    await mkdir(path, DIRECTORY_MODE & ~umask);
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw error;
  }
  return pin(path, { directory: true, noFollow: true });
}
