// What a directory of this machine tells agents: the first of the files that OpenCode reads.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { codeOf } from "../../../protocol/errors.js";
import type { HostFacts } from "../runner.js";

export async function instructionsOf(directory: string): Promise<HostFacts["instructions"]> {
  for (const name of ["AGENTS.md", "CLAUDE.md"]) {
    const path = join(directory, name);
    const text = await readFile(path, "utf8").catch((error) => {
      if (codeOf(error) === "ENOENT") return undefined;
      throw error;
    });
    if (text !== undefined) return [{ path, text: text.slice(0, 64 * 1024) }];
  }
  return [];
}
