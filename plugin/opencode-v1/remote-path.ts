// Paths that the model names are the host's: POSIX, whatever the laptop is. The anchor's own path, should it turn up
// in an old message, means the directory that it stands for.
import { posix } from "node:path";
import { isWithin } from "../../protocol/paths.js";

export interface HostDirectory {
  /** Canonical directory on the host. */
  directory: string;
  home: string;
  /** Local path of the anchor. */
  anchor: string;
}

/** Absolute, normalised path on the host. */
export function resolveRemote(path: string, at: HostDirectory): string {
  if (isWithin(path, at.anchor)) return posix.join(at.directory, path.slice(at.anchor.length));
  if (path === "~" || path.startsWith("~/")) return posix.join(at.home, path.slice(1));
  return posix.resolve(at.directory, path);
}

/** As the built-in tools show and match it: relative to the directory, `../…` outside it. */
export function relativeRemote(path: string, at: HostDirectory): string {
  return posix.relative(at.directory, path);
}
