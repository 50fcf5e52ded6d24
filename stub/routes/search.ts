// /find, /grep and /glob: ripgrep on the host. The GETs are OpenCode's own; the tools use the POSTs, which also say whether there is more.
import { Type } from "typebox";
import {
  FindAnswer,
  FindFileQuery,
  FindQuery,
  GlobAnswer,
  GlobRequest,
  GrepRequest,
  TextMatch,
} from "../../protocol/search.js";
import type { Services } from "../services.js";
import { fileContext, workspaceOf } from "./file-context.js";
import type { TypedApp } from "./typed.js";

export function searchRoutes(app: TypedApp, services: Services): void {
  const { search } = services;

  app.get(
    "/find",
    { schema: { querystring: FindQuery, response: { 200: Type.Array(TextMatch) } } },
    async (request) => {
      const context = fileContext(services, workspaceOf(request, services), request.query, request);
      return search.find(context, request.query);
    },
  );

  app.get(
    "/find/file",
    { schema: { querystring: FindFileQuery, response: { 200: Type.Array(Type.String()) } } },
    async (request) => {
      const context = fileContext(services, workspaceOf(request, services), { onAsk: "fail" }, request);
      const { query, type, dirs, limit } = request.query;
      return search.findFiles(context, { query, limit, type: type ?? (dirs === "false" ? "file" : undefined) });
    },
  );

  // A host has no language server: as OpenCode itself answers.
  app.get("/find/symbol", { schema: { response: { 200: Type.Array(Type.Never()) } } }, async () => []);

  app.post("/grep", { schema: { body: GrepRequest, response: { 200: FindAnswer } } }, async (request) => {
    const context = fileContext(services, workspaceOf(request, services), request.body, request);
    return search.grep(context, request.body);
  });

  app.post("/glob", { schema: { body: GlobRequest, response: { 200: GlobAnswer } } }, async (request) => {
    const context = fileContext(services, workspaceOf(request, services), request.body, request);
    return search.glob(context, request.body);
  });
}
