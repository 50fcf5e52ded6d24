// The dynamic loader and the C and C++ libraries that Node needs: carried along, so that hosts with an old glibc, another
// C library or none run the stub too. They are those of the machine that builds.
import { basename } from "node:path";
import { runTool } from "./run-tool.js";

const LOADER = "ld-linux-x86-64.so.2";

export interface RuntimeLibrary {
  /** As it is called in `rt/`. */
  name: string;
  path: string;
}

/** All that the given programs and libraries need, found by following their NEEDED entries. */
export async function runtimeLibraries(binaries: string[]): Promise<RuntimeLibrary[]> {
  const found = new Map<string, string>();
  const open = [...binaries];
  for (let binary = open.pop(); binary !== undefined; binary = open.pop()) {
    for (const needed of (await runTool("patchelf", ["--print-needed", binary])).split("\n")) {
      if (needed === "" || found.has(needed)) continue;
      const path = (await runTool("gcc", [`-print-file-name=${needed}`])).trim();
      if (path === needed) throw new Error(`${basename(binary)} needs ${needed}, which is not on this machine`);
      found.set(needed, path);
      open.push(path);
    }
  }
  if (!found.has(LOADER)) throw new Error(`nothing needs ${LOADER}: is this x86_64 with glibc?`);
  return [...found]
    .map(([name, path]) => ({ name: name === LOADER ? "ld.so" : name, path }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}
