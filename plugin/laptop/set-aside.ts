// A state file that does not parse is kept under another name: it may be all that is left of something.
import { rename } from "node:fs/promises";

/** Renames to `<file>.broken-<time>`; the new name. */
export async function setAside(file: string): Promise<string> {
  const aside = `${file}.broken-${new Date().toISOString().replace(/[:.]/g, "-")}`;
  await rename(file, aside);
  return aside;
}
