// The work that is timed: a command through the whole way, with all that a user has on (log, end record, path check, audit).

import type { Remote } from "../plugin/compose.js";
import type { OutputChunk, RunnerSession } from "../plugin/runner/runner.js";
import { newID } from "../protocol/ids.js";
import { HOST_NAME } from "./host.js";

/** Commands of it are confined at the best level there is, unless `enforcement` says otherwise. */
export async function openWorkspace(
  remote: Remote,
  directory: string,
  enforcement: "best" | "off" = "best",
): Promise<RunnerSession> {
  return remote.runner.createSession({
    host: HOST_NAME,
    directory,
    enforcement,
    workspaceID: await remote.workspaceID(HOST_NAME, directory),
  });
}

export interface Caller {
  session: RunnerSession;
  sessionID: string;
}

/** Text for the host's shell (bash where there is one), or a program with its arguments. */
export type Work = string | [program: string, ...args: string[]];

/** As the floor has it: a shell that does nothing. */
export const TRUE: Work = ["sh", "-c", "true"];

export async function run(
  caller: Caller,
  work: Work,
  onOutput?: (chunk: OutputChunk) => void | Promise<void>,
): Promise<void> {
  const result = await caller.session.runCommand({
    commandID: newID("cmd"),
    sessionID: caller.sessionID,
    ...(typeof work === "string" ? { command: work } : { program: work[0], args: work.slice(1) }),
    onOutput,
  });
  if (result.exit !== 0) throw new Error(`${work}: exit ${result.exit} ${result.signal ?? ""}`);
}
