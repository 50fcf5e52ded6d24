// node-pty's native part, which lies beside the stub (docs/protocol.md, "The one file"). Its JavaScript is not used: it
// believes libuv's end of the stream, which comes before the last output was read (pty-process.ts).
import { constants } from "node:os";
import { RemoteError } from "../../protocol/errors.js";

export interface PtyAddon {
  /** Starts `file` (looked up on the PATH of `env`) on a terminal of its own, as the leader of a session. `env`: NAME=VALUE. */
  fork(
    file: string,
    args: string[],
    env: string[],
    cwd: string,
    cols: number,
    rows: number,
    uid: number,
    gid: number,
    utf8: boolean,
    helperPath: string,
    onExit: (code: number, signal: number) => void,
  ): { fd: number; pid: number; pty: string };
  resize(fd: number, cols: number, rows: number): void;
}

const loaded = new Map<string, PtyAddon>();

/** `path`: of `pty.node`. Throws `spawn_failed`. */
export function loadPtyAddon(path: string): PtyAddon {
  const known = loaded.get(path);
  if (known !== undefined) return known;
  const holder: { exports: unknown } = { exports: {} };
  try {
    process.dlopen(holder, path, constants.dlopen.RTLD_NOW);
  } catch (error) {
    throw new RemoteError("spawn_failed", `terminals do not work here: ${String(error)}`, { cause: error });
  }
  const addon = holder.exports as PtyAddon;
  loaded.set(path, addon);
  return addon;
}
