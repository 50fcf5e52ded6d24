// /session/:id/revert: what the file tools changed, put back message by message, and made again.
import type { FastifyRequest } from "fastify";
import { Type } from "typebox";
import { SessionID } from "../../protocol/ids.js";
import { ForgetQuery, RevertAnswer, RevertRequest } from "../../protocol/undo.js";
import type { Services } from "../services.js";
import { fileContext } from "./file-context.js";
import type { TypedApp } from "./typed.js";

const Params = Type.Object({ id: SessionID });

export function undoRoutes(app: TypedApp, services: Services): void {
  const { sessions, undo } = services;
  const reach = (request: FastifyRequest, id: string, point: RevertRequest | null) => {
    const { workspace } = sessions.get(id, request.approver);
    const place = { sessionID: id, workspaceID: workspace.id };
    return undo.reach(place, point, fileContext(services, workspace, { onAsk: "fail" }, request));
  };

  app.post(
    "/session/:id/revert",
    { schema: { params: Params, body: RevertRequest, response: { 200: RevertAnswer } } },
    async (request) => reach(request, request.params.id, request.body),
  );

  app.post("/session/:id/unrevert", { schema: { params: Params, response: { 200: RevertAnswer } } }, async (request) =>
    reach(request, request.params.id, null),
  );

  app.delete(
    "/session/:id/revert",
    { schema: { params: Params, querystring: ForgetQuery, response: { 200: Type.Literal(true) } } },
    async ({ params, query, approver }) => {
      const { workspace } = sessions.get(params.id, approver);
      if (query.all) {
        await undo.drop(params.id);
        return true as const;
      }
      const messageIDs = (query.messageIDs ?? "").split(",").filter((id) => id !== "");
      await undo.forget({ sessionID: params.id, workspaceID: workspace.id }, query.reverted ?? false, messageIDs);
      return true as const;
    },
  );
}
