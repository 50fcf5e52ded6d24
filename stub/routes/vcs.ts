// /vcs and /file/status: version control of the workspace's directory.
import type { FastifyRequest } from "fastify";
import { Type } from "typebox";
import { FileStatus, VcsDiffQuery, VcsFileDiff, VcsFileStatus, VcsInfo, VcsQuery } from "../../protocol/vcs.js";
import type { Services } from "../services.js";
import { type Asking, fileContext, workspaceOf } from "./file-context.js";
import type { TypedApp } from "./typed.js";

export function vcsRoutes(app: TypedApp, services: Services): void {
  const { vcs } = services;
  const context = (request: FastifyRequest & { query: Asking }) =>
    fileContext(services, workspaceOf(request, services), request.query, request);

  app.get("/vcs", { schema: { querystring: VcsQuery, response: { 200: VcsInfo } } }, async (request) =>
    vcs.info(context(request)),
  );

  app.get(
    "/vcs/status",
    { schema: { querystring: VcsQuery, response: { 200: Type.Array(VcsFileStatus) } } },
    async (request) => vcs.status(context(request)),
  );

  app.get(
    "/vcs/diff",
    { schema: { querystring: VcsDiffQuery, response: { 200: Type.Array(VcsFileDiff) } } },
    async (request) => vcs.diff(context(request), request.query.mode, request.query.context),
  );

  app.get("/vcs/diff/raw", { schema: { querystring: VcsQuery } }, async (request, reply) => {
    const text = await vcs.raw(context(request));
    return reply.type("text/x-diff; charset=utf-8").send(text);
  });

  app.get(
    "/file/status",
    { schema: { querystring: VcsQuery, response: { 200: Type.Array(FileStatus) } } },
    async (request) => vcs.fileStatus(context(request)),
  );
}
