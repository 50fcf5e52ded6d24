// The work that is timed: a command through the whole way, with all that a user has on (log, end record, path check, audit).

import type { Remote } from "../plugin/compose.js";
import type { OutputChunk, RunnerSession } from "../plugin/runner/runner.js";
import { newID } from "../protocol/ids.js";
import { HOST_NAME } from "./host.js";

export async function openWorkspace(remote: Remote, directory: string): Promise<RunnerSession> {
  return remote.runner.createSession({
    host: HOST_NAME,
    directory,
    workspaceID: await remote.workspaceID(HOST_NAME, directory),
  });
}

export interface Caller {
  session: RunnerSession;
  sessionID: string;
}

export async function run(
  caller: Caller,
  command: string,
  onOutput?: (chunk: OutputChunk) => void | Promise<void>,
): Promise<void> {
  const result = await caller.session.runCommand({
    commandID: newID("cmd"),
    sessionID: caller.sessionID,
    command,
    onOutput,
  });
  if (result.exit !== 0) throw new Error(`${command}: exit ${result.exit} ${result.signal ?? ""}`);
}
