// How an error ends a command: one line with its code, a hint, and the exit status.
import { codeOf, RemoteError } from "../../protocol/errors.js";
import { printable } from "./printable.js";
import type { CommandName } from "./usage.js";

export interface Shown {
  stdout: string;
  stderr: string;
  status: number;
}

/** `--json` puts the error on stdout, as the stub would send it. */
export function showFailure(error: unknown, command: CommandName | undefined, json: boolean): Shown {
  const known = asKnown(error);
  const status = statusOf(known, command);
  if (json) return { stdout: `${JSON.stringify(known.toWire())}\n`, stderr: "", status };
  const hint = known.hint === undefined ? "" : `hint: ${printable(known.hint)}\n`;
  return { stdout: "", stderr: `error ${known.code}: ${printable(known.message)}\n${hint}`, status };
}

function asKnown(error: unknown): RemoteError {
  if (error instanceof RemoteError) return error;
  const text = error instanceof Error ? error.message : String(error);
  const code = codeOf(error);
  return new RemoteError("internal", code === undefined ? text : `${code}: ${text}`, {
    hint: "this is a defect; --verbose shows where",
    cause: error,
  });
}

/** 2 for wrong usage, else 1; exec and the anchor's shell use 255 for both, so that a remote 1 or 2 stays one. */
function statusOf(error: RemoteError, command: CommandName | undefined): number {
  if (command === "exec" || command === "anchor-shell") return 255;
  return error.code === "usage" ? 2 : 1;
}
