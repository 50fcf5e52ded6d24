// /experimental/workspace: the directories that a client installation works in, and what it approved there.
import { Type } from "typebox";
import { PermissionID, WorkspaceID } from "../../protocol/ids.js";
import {
  Approval,
  Workspace,
  WorkspaceChange,
  WorkspaceContext,
  WorkspaceCreate,
  WorkspaceStatus,
} from "../../protocol/workspace.js";
import { describe } from "../context.js";
import type { Services } from "../services.js";
import { isReachable } from "../workspaces.js";
import { fileContext } from "./file-context.js";
import type { TypedApp } from "./typed.js";

const Params = Type.Object({ id: WorkspaceID });
const BASE = "/experimental/workspace";

export function workspaceRoutes(app: TypedApp, services: Services): void {
  const { workspaces, approvals, commands, host, enforcement, audit } = services;

  app.get(BASE, { schema: { response: { 200: Type.Array(Workspace) } } }, async ({ approver }) =>
    workspaces.list(approver),
  );

  app.post(BASE, { schema: { body: WorkspaceCreate, response: { 200: Workspace } } }, async ({ body, approver }) =>
    workspaces.create(body, approver),
  );

  app.get(`${BASE}/status`, { schema: { response: { 200: Type.Array(WorkspaceStatus) } } }, async ({ approver }) =>
    Promise.all(
      workspaces.list(approver).map(async (workspace) => ({
        workspaceID: workspace.id,
        status: (await isReachable(workspace)) ? ("connected" as const) : ("error" as const),
        commands: { running: commands.running({ workspaceID: workspace.id }) },
      })),
    ),
  );

  app.get(
    `${BASE}/:id/context`,
    { schema: { params: Params, response: { 200: WorkspaceContext } } },
    async (request) => {
      const workspace = workspaces.get(request.params.id, request.approver);
      const files = fileContext(services, workspace, { onAsk: "fail" }, request);
      return describe(workspace, { host, enforcement, files });
    },
  );

  app.patch(
    `${BASE}/:id`,
    { schema: { params: Params, body: WorkspaceChange, response: { 200: Workspace } } },
    async ({ params, body, approver }) => workspaces.change(params.id, body, approver),
  );

  app.delete(
    `${BASE}/:id`,
    { schema: { params: Params, response: { 200: Workspace } } },
    async ({ params, approver }) => workspaces.delete(params.id, approver),
  );

  app.get(
    `${BASE}/:id/approval`,
    { schema: { params: Params, response: { 200: Type.Array(Approval) } } },
    async (request) => {
      const { id } = workspaces.get(request.params.id, request.approver);
      return approvals.list(id);
    },
  );

  app.delete(
    `${BASE}/:id/approval/:permissionID`,
    {
      schema: {
        params: Type.Object({ id: WorkspaceID, permissionID: PermissionID }),
        response: { 200: Type.Literal(true) },
      },
    },
    async ({ params, approver }) => {
      const { id } = workspaces.getOwned(params.id, approver);
      const { path, access } = await approvals.revoke(id, params.permissionID);
      const line = {
        approver: approver ?? undefined,
        workspaceID: id,
        permissionID: params.permissionID,
        path,
        access,
      };
      audit.write({ event: "approval", ...line, decision: "revoked" });
      return true as const;
    },
  );
}
