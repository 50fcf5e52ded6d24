// Our state directory on the laptop: nothing else is written outside it and OpenCode's own configuration.
import { chmod, lstat, mkdir } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import { RemoteError } from "../../protocol/errors.js";

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
  await mkdir(paths.directory, { recursive: true, mode: 0o700 });
  const stat = await lstat(paths.directory);
  const own = process.getuid?.();
  if (!stat.isDirectory() || (own !== undefined && stat.uid !== own)) {
    throw new RemoteError("EACCES", `${paths.directory} is not a directory of this user`, {
      hint: "remove it, or set XDG_STATE_HOME to a directory of yours",
    });
  }
  if ((stat.mode & 0o077) !== 0) await chmod(paths.directory, 0o700);
  await mkdir(paths.log, { recursive: true, mode: 0o700 });
}
