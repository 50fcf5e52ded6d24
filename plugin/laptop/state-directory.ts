// Our state directory on the laptop: nothing else is written outside it and OpenCode's own configuration.
import { chmod, lstat } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import { fromSystem, RemoteError } from "../../protocol/errors.js";
import { makeDirectories } from "./make-directories.js";

export interface StatePaths {
  /** `$XDG_STATE_HOME/opencode-remote-ssh`, 0700. */
  directory: string;
  approverKey: string;
  hostsFile: string;
  anchors: string;
  log: string;
}

/** The same on Linux and macOS. A relative XDG_STATE_HOME is ignored, as its specification says. */
export function statePaths(env: Record<string, string | undefined>, home: string): StatePaths {
  const base = env.XDG_STATE_HOME;
  const state = base !== undefined && isAbsolute(base) ? base : join(home, ".local", "state");
  const directory = join(state, "opencode-remote-ssh");
  return {
    directory,
    approverKey: join(directory, "approver.key"),
    hostsFile: join(directory, "hosts.json"),
    anchors: join(directory, "anchors"),
    log: join(directory, "log"),
  };
}

/** Makes it, ours and 0700. Throws `EACCES` where it is somebody else's or no directory: it holds keys and tokens. */
export async function ensureStateDirectory(paths: StatePaths): Promise<void> {
  try {
    await ensure(paths);
  } catch (error) {
    throw unwritable(error, paths.directory);
  }
}

/** A node error about our state, with what a person can do about it. */
export function unwritable(error: unknown, path: string): RemoteError {
  if (error instanceof RemoteError) return error;
  const { code } = fromSystem(error, "");
  return new RemoteError(code, `${path} cannot be written: ${error instanceof Error ? error.message : error}`, {
    cause: error,
    hint: "it holds this installation's key: make room there, or set XDG_STATE_HOME to a directory that you can write to",
  });
}

async function ensure(paths: StatePaths): Promise<void> {
  await makeDirectories(paths.directory, 0o700);
  const stat = await lstat(paths.directory);
  const own = process.getuid?.();
  if (!stat.isDirectory() || (own !== undefined && stat.uid !== own)) {
    throw new RemoteError("EACCES", `${paths.directory} is not a directory of this user`, {
      hint: "remove it, or set XDG_STATE_HOME to a directory of yours",
    });
  }
  if ((stat.mode & 0o077) !== 0) await chmod(paths.directory, 0o700);
  await makeDirectories(paths.log, 0o700);
}
