// From a file or search request to what the services need: which workspace, who asks, how.
import type { FastifyRequest } from "fastify";
import { Check } from "typebox/value";
import { RemoteError } from "../../protocol/errors.js";
import { WorkspaceID } from "../../protocol/ids.js";
import type { Workspace } from "../../protocol/workspace.js";
import type { FileContext } from "../files/access.js";
import type { Services } from "../services.js";
import { clientGone } from "./client-gone.js";

export interface Asking {
  onAsk?: "wait" | "fail" | undefined;
  permissionID?: string | undefined;
  permissionIDs?: string[] | undefined;
}

type Needed = Pick<Services, "gate" | "host" | "temporaries">;

export function fileContext(
  { gate, host, temporaries }: Needed,
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
  return { pass, base, installRoot: host.installRoot, umask: host.umask, temporaries };
}

/** Of `?workspace=` or `x-workspace`. Throws `workspace_required`, `invalid_id`, `workspace_unknown`, `approver_foreign`. */
export function workspaceOf(request: FastifyRequest, { workspaces }: Pick<Services, "workspaces">): Workspace {
  const { workspace } = request.query as { workspace?: unknown };
  const id = workspace ?? request.headers["x-workspace"];
  if (id === undefined) throw new RemoteError("workspace_required", "which workspace is meant?");
  if (!Check(WorkspaceID, id)) throw new RemoteError("invalid_id", "this is no workspace id");
  return workspaces.get(id as string, request.approver);
}
