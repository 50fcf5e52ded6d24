// The directory on the host that holds everything of ours, and what to do where it cannot.
import { codeOf, type ErrorCode, RemoteError } from "../../protocol/errors.js";

const ABOUT_ROOT: ReadonlySet<string | undefined> = new Set<ErrorCode>(["noexec", "no_space", "no_inodes"]);

/** The same error with a hint that names this root; every other error as it is. */
export function explainRoot(error: unknown, installRoot: string): unknown {
  if (!(error instanceof RemoteError) || !ABOUT_ROOT.has(codeOf(error))) return error;
  const advice =
    error.code === "noexec"
      ? "set installRoot in the plugin's options to a directory on a file system that is not mounted noexec"
      : "free space there, or set installRoot in the plugin's options to a directory on another file system";
  return new RemoteError(error.code, error.message, {
    hint: `${advice} (it is ${installRoot} now)`,
    details: error.details,
    cause: error,
  });
}
