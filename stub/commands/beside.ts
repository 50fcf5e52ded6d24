// The sockets of a helper beside its command's record: base.stdin, base.asks.
import { closeSync, constants, openSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { basename, dirname } from "node:path";
import { codeOf } from "../../protocol/errors.js";

/** Undefined where nobody listens any more. A socket's path may have 107 bytes only: it is named below its directory's descriptor. */
export async function connectBeside(base: string, suffix: string): Promise<Socket | undefined> {
  const directory = openSync(dirname(base), constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    const socket = connect(`/proc/self/fd/${directory}/${basename(base)}${suffix}`);
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
    });
    return socket;
  } catch (error) {
    const code = codeOf(error);
    if (code === "ENOENT" || code === "ECONNREFUSED") return undefined;
    throw error;
  } finally {
    closeSync(directory);
  }
}
