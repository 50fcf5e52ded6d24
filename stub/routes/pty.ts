// /pty: terminals, and the WebSocket of each. The guard has seen the upgrade like any other request.
import websocket from "@fastify/websocket";
import type { FastifyRequest } from "fastify";
import { Type } from "typebox";
import { Pty, PtyConnectQuery, PtyCreate, PtyCreateQuery, PtyID, PtyUpdate } from "../../protocol/pty.js";
import type { Services } from "../services.js";
import { fileContext, workspaceOf } from "./file-context.js";
import type { TypedApp } from "./typed.js";

/** Of one frame of input, in bytes; larger ones end the connection (1009). */
const INPUT_LIMIT = 1024 * 1024;

const Params = Type.Object({ id: PtyID });
const InWorkspace = Type.Object({ workspace: Type.Optional(Type.String()) });

export async function ptyRoutes(app: TypedApp, services: Services): Promise<void> {
  const { terminals } = services;
  await app.register(websocket, { options: { maxPayload: INPUT_LIMIT, perMessageDeflate: false } });

  app.get("/pty", { schema: { querystring: InWorkspace, response: { 200: Type.Array(Pty) } } }, async (request) =>
    terminals.list(workspaceOf(request, services)),
  );

  app.post(
    "/pty",
    { schema: { querystring: PtyCreateQuery, body: PtyCreate, response: { 200: Pty } } },
    async (request) => {
      const context = fileContext(services, workspaceOf(request, services), request.query, request);
      return terminals.create(context, request.body);
    },
  );

  app.get(
    "/pty/:id",
    { schema: { params: Params, querystring: InWorkspace, response: { 200: Pty } } },
    async (request) => terminals.get(workspaceOf(request, services), request.params.id).info,
  );

  app.put(
    "/pty/:id",
    { schema: { params: Params, querystring: InWorkspace, body: PtyUpdate, response: { 200: Pty } } },
    async (request) => terminals.update(workspaceOf(request, services), request.params.id, request.body),
  );

  app.delete(
    "/pty/:id",
    { schema: { params: Params, querystring: InWorkspace, response: { 200: Type.Literal(true) } } },
    async (request) => {
      await terminals.remove(workspaceOf(request, services), request.params.id);
      return true as const;
    },
  );

  app.get(
    "/pty/:id/connect",
    {
      websocket: true,
      schema: { params: Params, querystring: PtyConnectQuery },
      // Before the upgrade: a refusal is an HTTP answer.
      preHandler: async (request: FastifyRequest<{ Params: { id: string } }>) =>
        terminals.checkRoom(workspaceOf(request, services), request.params.id),
    },
    (socket, request) => {
      terminals.connect(workspaceOf(request, services), request.params.id, socket, request.query.cursor);
    },
  );
}
