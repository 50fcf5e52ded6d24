// What the helper could not do before a command ran, as an error of the catalogue.
import { getSystemErrorName } from "node:util";
import { type ErrorCode, isErrorCode, RemoteError } from "../../protocol/errors.js";

/** As the helper's `failed` report has it. */
export interface Failed {
  stage: string;
  errno: number;
  /** Of the stage `confine`: which part of it, and which path it is about. */
  part?: string;
  path?: string;
}

/** `program` and `cwd` are for the message. */
export function startFailure(failed: Failed, context: { program: string; cwd: string }): RemoteError {
  const { stage, errno } = failed;
  const name = errnoName(errno);
  const details = { ...failed, name };
  if (stage === "cwd") return directoryFailure(name, context.cwd, details);
  if (stage === "confine") {
    const moved = "an approved directory was replaced since it was checked; send the command again";
    const hint = name === "ESTALE" ? moved : undefined;
    const where = [failed.part, failed.path].filter((text) => text !== undefined).join(" ");
    const message = `the confinement cannot be applied${where && ` (${where})`}: ${name}`;
    return new RemoteError("confine_failed", message, { details, hint });
  }
  if (stage === "exec") {
    const hint =
      name === "E2BIG"
        ? "one argument may have 128 KiB; write long text to a file on the host first"
        : name === "ENOENT"
          ? "check the spelling and the PATH of the host's login environment"
          : undefined;
    return new RemoteError("spawn_failed", `cannot execute ${context.program}: ${name}`, { details, hint });
  }
  if (name === "ENOSPC" || name === "EDQUOT") {
    return new RemoteError(name, "no room for the command's files in state/commands", { details });
  }
  return new RemoteError("spawn_failed", `cannot start a process (${stage}): ${name}`, { details });
}

function directoryFailure(name: string, cwd: string, details: object): RemoteError {
  if (name === "ENOENT") return new RemoteError("cwd_missing", `no such directory: ${cwd}`, { details });
  if (name === "ENOTDIR" || name === "ELOOP") {
    const hint = "it was checked a moment ago and was replaced since; try again";
    return new RemoteError("cwd_missing", `no longer the directory that was checked: ${cwd}`, { details, hint });
  }
  const code: ErrorCode = isErrorCode(name) ? name : "spawn_failed";
  return new RemoteError(code, `cannot enter ${cwd}: ${name}`, { details });
}

function errnoName(errno: number): string {
  try {
    return getSystemErrorName(-errno);
  } catch {
    return `errno ${errno}`;
  }
}
