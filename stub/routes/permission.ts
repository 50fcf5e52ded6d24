// /permission: what is asked, and the answers. Answering needs the approver of the workspace that asks.
import { Type } from "typebox";
import { RemoteError } from "../../protocol/errors.js";
import { PermissionID } from "../../protocol/ids.js";
import { Ask, PermissionReply } from "../../protocol/permission.js";
import type { Services } from "../services.js";
import type { TypedApp } from "./typed.js";

const Params = Type.Object({ id: PermissionID });

export function permissionRoutes(
  app: TypedApp,
  { asks, gate, workspaces }: Pick<Services, "asks" | "gate" | "workspaces">,
): void {
  app.get("/permission", { schema: { response: { 200: Type.Array(Ask) } } }, async ({ approver }) => {
    const own = new Set(workspaces.list(approver).map(({ id }) => id));
    return asks.pending().filter(({ workspaceID }) => own.has(workspaceID));
  });

  app.post(
    "/permission/:id/reply",
    { schema: { params: Params, body: PermissionReply, response: { 200: Type.Literal(true) } } },
    async ({ params, body, approver }) => {
      if (approver === null)
        throw new RemoteError("approver_required", "answering an ask needs the workspace's approver");
      const entry = asks.find(params.id);
      if (entry !== undefined) workspaces.get(entry.ask.workspaceID, approver);
      await gate.reply(params.id, body, approver);
      return true as const;
    },
  );
}
