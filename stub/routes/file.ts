// /file: looking at files and changing what is where; contents are in file-content.ts.
import { Type } from "typebox";
import { OnAsk } from "../../protocol/command.js";
import {
  BatchAnswer,
  BatchRequest,
  FileDeleteQuery,
  FileMkdir,
  FileMove,
  FileNode,
  FileQuery,
  FileStat,
  FileView,
  FileViewQuery,
} from "../../protocol/file.js";
import { PermissionID } from "../../protocol/ids.js";
import { compressLarge } from "../compress.js";
import { runBatch } from "../files/batch.js";
import { list } from "../files/list.js";
import { mkdir, move } from "../files/move.js";
import { statFile } from "../files/read.js";
import { remove } from "../files/remove.js";
import { view } from "../files/view.js";
import type { Services } from "../services.js";
import { fileContext, workspaceOf } from "./file-context.js";
import type { TypedApp } from "./typed.js";

/** Contents travel as base64: 32 MiB and what is around them. */
const BATCH_BODY_LIMIT = 48 * 1024 * 1024;

const Asking = Type.Object({
  workspace: Type.Optional(Type.String()),
  onAsk: Type.Optional(OnAsk),
  permissionID: Type.Optional(PermissionID),
});
const Done = Type.Literal(true);

export function fileRoutes(app: TypedApp, services: Services): void {
  app.get("/file", { schema: { querystring: FileQuery, response: { 200: Type.Array(FileNode) } } }, async (request) => {
    const context = fileContext(services, workspaceOf(request, services), request.query, request);
    return list(context, request.query.path);
  });

  app.get("/file/stat", { schema: { querystring: FileQuery, response: { 200: FileStat } } }, async (request) => {
    const context = fileContext(services, workspaceOf(request, services), request.query, request);
    return statFile(context, request.query.path);
  });

  app.get("/file/view", { schema: { querystring: FileViewQuery, response: { 200: FileView } } }, async (request) => {
    const context = fileContext(services, workspaceOf(request, services), request.query, request);
    return view(context, request.query);
  });

  app.delete("/file", { schema: { querystring: FileDeleteQuery, response: { 200: Done } } }, async (request) => {
    const context = fileContext(services, workspaceOf(request, services), request.query, request);
    await remove(context, request.query);
    return true as const;
  });

  app.post(
    "/file/move",
    { schema: { querystring: Asking, body: FileMove, response: { 200: Done } } },
    async (request) => {
      const context = fileContext(services, workspaceOf(request, services), request.query, request);
      await move(context, request.body);
      return true as const;
    },
  );

  app.post(
    "/file/mkdir",
    { schema: { querystring: Asking, body: FileMkdir, response: { 200: Done } } },
    async (request) => {
      const context = fileContext(services, workspaceOf(request, services), request.query, request);
      await mkdir(context, request.body);
      return true as const;
    },
  );

  app.post(
    "/file/batch",
    {
      bodyLimit: BATCH_BODY_LIMIT,
      onSend: compressLarge,
      schema: { body: BatchRequest, response: { 200: BatchAnswer } },
    },
    async (request) => {
      const context = fileContext(services, workspaceOf(request, services), request.body, request);
      return { results: await runBatch(context, request.body) };
    },
  );
}
