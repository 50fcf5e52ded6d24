// GET and PUT /file/content: bytes are bytes, whatever content type they come with.
import { FileContentQuery, FileWriteQuery, FileWritten } from "../../protocol/file.js";
import { asFileContent } from "../files/content.js";
import { readFile } from "../files/read.js";
import { writeFile } from "../files/write.js";
import type { Services } from "../services.js";
import { fileContext, workspaceOf } from "./file-context.js";
import type { TypedApp } from "./typed.js";

const WRITE_LIMIT = 32 * 1024 * 1024;

/** To be registered in a scope of its own: its body parser takes anything. */
export function fileContentRoutes(app: TypedApp, services: Services): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "buffer", bodyLimit: WRITE_LIMIT }, (_request, body, done) =>
    done(null, body),
  );

  app.get("/file/content", { schema: { querystring: FileContentQuery } }, async (request, reply) => {
    const { path, offset, length } = request.query;
    const context = fileContext(services, workspaceOf(request, services), request.query, request);
    const file = await readFile(context, path, { offset, length });
    reply
      .header("x-file-tag", file.tag)
      .header("x-file-size", file.size)
      .header("x-file-path", encodeURIComponent(file.path));
    if (request.headers.accept?.includes("application/json"))
      return reply.type("application/json").send(asFileContent(file));
    return reply.type("application/octet-stream").send(file.data);
  });

  app.put(
    "/file/content",
    { bodyLimit: WRITE_LIMIT, schema: { querystring: FileWriteQuery, response: { 200: FileWritten } } },
    async (request) => {
      const { path, ifMatch, parents } = request.query;
      const context = fileContext(services, workspaceOf(request, services), request.query, request);
      const data = request.body instanceof Uint8Array ? request.body : new Uint8Array();
      return writeFile(context, { path, data, ifMatch, parents });
    },
  );
}
