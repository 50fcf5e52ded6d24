// /find and /glob: ripgrep on the host.
import { Type } from "typebox";
import { FindAnswer, FindFileQuery, FindQuery, GlobAnswer, GlobRequest } from "../../protocol/search.js";
import type { Services } from "../services.js";
import { fileContext, workspaceOf } from "./file-context.js";
import type { TypedApp } from "./typed.js";

export function searchRoutes(app: TypedApp, services: Services): void {
  const { search } = services;

  app.get("/find", { schema: { querystring: FindQuery, response: { 200: FindAnswer } } }, async (request) => {
    const context = fileContext(services, workspaceOf(request, services), request.query, request);
    return search.find(context, request.query);
  });

  app.get(
    "/find/file",
    { schema: { querystring: FindFileQuery, response: { 200: Type.Array(Type.String()) } } },
    async (request) => {
      const context = fileContext(services, workspaceOf(request, services), { onAsk: "fail" }, request);
      return search.findFiles(context, request.query);
    },
  );

  app.post("/glob", { schema: { body: GlobRequest, response: { 200: GlobAnswer } } }, async (request) => {
    const context = fileContext(services, workspaceOf(request, services), request.body, request);
    return search.glob(context, request.body);
  });
}
