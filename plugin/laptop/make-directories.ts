// `mkdir -p` that ends: Node's own never does where a file system answers ENOENT below a directory that exists
// (/proc, some automounters), it burns a core for ever.
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { codeOf } from "../../protocol/errors.js";

/** `path` is absolute. What is made gets `mode`; what is there, of whatever kind, stays as it is. */
export async function makeDirectories(path: string, mode: number): Promise<void> {
  const missing: string[] = [];
  for (let at = path; ; at = dirname(at)) {
    try {
      await mkdir(at, { mode });
      break;
    } catch (error) {
      if (codeOf(error) === "EEXIST") break;
      if (codeOf(error) !== "ENOENT" || at === dirname(at)) throw error;
      missing.unshift(at);
    }
  }
  for (const each of missing) {
    await mkdir(each, { mode }).catch((error: unknown) => {
      // another process of ours was quicker
      if (codeOf(error) !== "EEXIST") throw error;
    });
  }
}
