// From a file or search request to what the services need: which workspace, who asks, how.
import type { FastifyRequest } from "fastify";
import { Check } from "typebox/value";
import { RemoteError } from "../../protocol/errors.js";
import { WorkspaceID } from "../../protocol/ids.js";
import { CHANGE_HEADER, type ChangeOf, fromChangeHeader } from "../../protocol/undo.js";
import type { Workspace } from "../../protocol/workspace.js";
import type { FileContext } from "../files/access.js";
import type { Services } from "../services.js";
import { clientGone } from "./client-gone.js";

export interface Asking {
  onAsk?: "wait" | "fail" | undefined;
  permissionID?: string | undefined;
  permissionIDs?: string[] | undefined;
}

type Needed = Pick<Services, "gate" | "host" | "temporaries" | "undo" | "sessions">;

export function fileContext(
  { gate, host, temporaries, undo, sessions }: Needed,
  workspace: Workspace,
  asking: Asking,
  request: FastifyRequest,
): FileContext {
  const { permissionID, permissionIDs = [] } = asking;
  const pass = gate.open({
    workspace,
    sessionID: null,
    onAsk: asking.onAsk ?? "wait",
    permissionIDs: permissionID === undefined ? permissionIDs : [permissionID, ...permissionIDs],
    signal: clientGone(request),
  });
  const base = { directory: workspace.directory, home: host.home };
  const of = changeOf(request);
  const recorder =
    of && undo.recorder(workspace.id, of, () => sessions.ensure(of.sessionID, workspace.id, request.approver));
  return { pass, base, installRoot: host.installRoot, umask: host.umask, temporaries, recorder };
}

function changeOf(request: FastifyRequest): ChangeOf | undefined {
  const header = request.headers[CHANGE_HEADER];
  if (header === undefined) return undefined;
  const of = fromChangeHeader(String(header));
  if (of === undefined) throw new RemoteError("invalid_request", `${CHANGE_HEADER} is not SESSION/MESSAGE/CALL`);
  return of;
}

/** Of `?workspace=` or `x-workspace`. Throws `workspace_required`, `invalid_id`, `workspace_unknown`, `approver_foreign`. */
export function workspaceOf(request: FastifyRequest, { workspaces }: Pick<Services, "workspaces">): Workspace {
  const { workspace } = request.query as { workspace?: unknown };
  const id = workspace ?? request.headers["x-workspace"];
  if (id === undefined) throw new RemoteError("workspace_required", "which workspace is meant?");
  if (!Check(WorkspaceID, id)) throw new RemoteError("invalid_id", "this is no workspace id");
  return workspaces.get(id as string, request.approver);
}
