// node-pty's native part lies beside the stub (docs/protocol.md, "The one file"), not in node_modules: the build puts this
// file in the place of node-pty's own loader (`node-pty/lib/utils.js`), whose two functions it therefore has.
import { constants } from "node:os";
import { join } from "node:path";

let directory: string | undefined;

/** Names the directory that holds `pty.node`; must be called before node-pty is first imported. */
export function usePtyParts(partsDir: string): void {
  directory = partsDir;
}

/** As node-pty calls it, with `pty`. Throws what dlopen throws. @public */
export function loadNativeModule(name: string): { dir: string; module: unknown } {
  if (directory === undefined) throw new Error("usePtyParts was not called before node-pty was imported");
  const holder: { exports: unknown } = { exports: {} };
  process.dlopen(holder, join(directory, `${name}.node`), constants.dlopen.RTLD_NOW);
  return { dir: directory, module: holder.exports };
}

/** As node-pty calls it. @public */
export function assign(target: object, ...sources: object[]): object {
  return Object.assign(target, ...sources);
}
