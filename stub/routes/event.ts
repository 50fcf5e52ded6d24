// GET /global/event: what happens, as it happens.
import { Type } from "typebox";
import { WorkspaceID } from "../../protocol/ids.js";
import type { Services } from "../services.js";
import type { TypedApp } from "./typed.js";

const Query = Type.Object({ workspace: Type.Optional(WorkspaceID) });

export function eventRoutes(
  app: TypedApp,
  { eventClients, workspaces }: Pick<Services, "eventClients" | "workspaces">,
): void {
  app.get("/global/event", { schema: { querystring: Query } }, async (request, reply) => {
    const { approver } = request;
    const only = request.query.workspace;
    if (only !== undefined) workspaces.get(only, approver);
    reply.hijack();
    const own = (id: string) => approver === null || workspaces.list(approver).some((workspace) => workspace.id === id);
    await eventClients.add(request.raw, reply.raw, ({ workspace }) => {
      if (workspace === undefined) return true;
      return only === undefined ? own(workspace) : workspace === only;
    });
  });
}
