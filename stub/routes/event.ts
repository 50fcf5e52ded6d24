// GET /global/event: what happens, as it happens, and what happened since `Last-Event-ID`.
import { Type } from "typebox";
import { WorkspaceID } from "../../protocol/ids.js";
import type { Services } from "../services.js";
import { isOwner } from "../workspaces.js";
import type { TypedApp } from "./typed.js";

const Query = Type.Object({ workspace: Type.Optional(WorkspaceID) });
const Headers = Type.Object({ "last-event-id": Type.Optional(Type.String()) });

export function eventRoutes(
  app: TypedApp,
  { eventClients, workspaces }: Pick<Services, "eventClients" | "workspaces">,
): void {
  app.get("/global/event", { schema: { querystring: Query, headers: Headers } }, async (request, reply) => {
    const { approver } = request;
    const only = request.query.workspace;
    const lastEventID = request.headers["last-event-id"];
    if (only !== undefined) workspaces.get(only, approver);
    reply.hijack();
    await eventClients.add(request.raw, reply.raw, {
      lastEventID: lastEventID === "" ? undefined : lastEventID,
      accepts: (event) => {
        if (event.workspaceID === undefined) return true;
        if (only !== undefined && event.workspaceID !== only) return false;
        return approver === null || (event.approver !== undefined && isOwner({ approver: event.approver }, approver));
      },
    });
  });
}
