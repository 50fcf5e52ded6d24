// What makes two requests with the same commandID the same request: all that the client chose, and nothing that it did not
// (a private temporary directory has another name each time).
import type { CommandRequest } from "../../protocol/command.js";
import { sha256 } from "../sha256.js";
import type { CommandSpec } from "./types.js";

/** Of a request as it came; how an ask is to be answered is no part of what is to run. */
export function fingerprintOfRequest(body: CommandRequest): string {
  const { sessionID, workspaceID, argv, command, cwd, env, timeoutMs, stdin, unconfined } = body;
  return digest([
    sessionID,
    workspaceID ?? null,
    argv ?? null,
    command ?? null,
    cwd ?? null,
    sorted(env),
    timeoutMs ?? null,
    ...(stdin === undefined ? [] : [stdin]),
    ...(unconfined === true ? ["unconfined"] : []),
  ]);
}

export function fingerprintOf(
  spec: Pick<
    CommandSpec,
    "sessionID" | "workspaceID" | "argv" | "command" | "cwd" | "tmpdir" | "env" | "timeoutMs" | "stdin" | "fingerprint"
  >,
): string {
  if (spec.fingerprint !== undefined) return spec.fingerprint;
  const cwd = spec.tmpdir ? null : spec.cwd;
  const chosen = [spec.sessionID, spec.workspaceID, spec.argv ?? null, spec.command ?? null, cwd, sorted(spec.env)];
  return digest([...chosen, spec.timeoutMs ?? null, ...(spec.stdin === undefined ? [] : [spec.stdin])]);
}

function sorted(env: Record<string, string> | undefined): [string, string][] {
  return Object.entries(env ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
}

function digest(chosen: unknown[]): string {
  return sha256(JSON.stringify(chosen), "base64url");
}
