// /session: OpenCode's sessions, and the user's own commands in them.
import { Type } from "typebox";
import { SessionID } from "../../protocol/ids.js";
import { SessionCreate, SessionInfo, SessionStatus, ShellRequest } from "../../protocol/session.js";
import type { Services } from "../services.js";
import { clientGone } from "./client-gone.js";
import type { TypedApp } from "./typed.js";

const Params = Type.Object({ id: SessionID });
const Rename = Type.Object({ title: Type.String({ minLength: 1, maxLength: 512 }) }, { additionalProperties: false });
const SHELL_BODY_LIMIT = 8 * 1024 * 1024;

export function sessionRoutes(app: TypedApp, { sessions, shell }: Pick<Services, "sessions" | "shell">): void {
  app.get("/session", { schema: { response: { 200: Type.Array(SessionInfo) } } }, async ({ approver }) =>
    sessions.list(approver),
  );

  app.post(
    "/session",
    { schema: { body: SessionCreate, response: { 200: SessionInfo } } },
    async ({ body, approver }) => sessions.create(body, approver),
  );

  app.get("/session/status", { schema: { response: { 200: SessionStatus } } }, async ({ approver }) =>
    sessions.status(approver),
  );

  app.get(
    "/session/:id",
    { schema: { params: Params, response: { 200: SessionInfo } } },
    async ({ params, approver }) => sessions.get(params.id, approver).session,
  );

  app.patch(
    "/session/:id",
    { schema: { params: Params, body: Rename, response: { 200: SessionInfo } } },
    async ({ params, body, approver }) => sessions.rename(params.id, body.title, approver),
  );

  app.delete(
    "/session/:id",
    { schema: { params: Params, response: { 200: SessionInfo } } },
    async ({ params, approver }) => sessions.delete(params.id, approver),
  );

  app.post(
    "/session/:id/abort",
    { schema: { params: Params, response: { 200: Type.Literal(true) } } },
    async ({ params, approver }) => {
      sessions.abort(params.id, approver);
      return true as const;
    },
  );

  app.post(
    "/session/:id/shell",
    { bodyLimit: SHELL_BODY_LIMIT, schema: { params: Params, body: ShellRequest } },
    async (request) => {
      const { params, body, approver } = request;
      return shell.run(params.id, body, { approver, signal: clientGone(request) });
    },
  );
}
