// Every error leaves as {code, message, hint?, details?}, whoever threw it: our services, Fastify, or Node's HTTP parser.
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { RemoteError } from "../protocol/errors.js";

export function installErrors(app: FastifyInstance): void {
  app.setErrorHandler(answerError);
  app.setNotFoundHandler((request) => {
    throw new RemoteError("not_found", `no endpoint ${request.method} ${request.url.split("?")[0]}`);
  });
}

export function answerError(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const failure = failureOf(error);
  if (failure.status >= 500) {
    request.log.error({ reqId: request.id, err: error, code: failure.code }, failure.message);
  }
  // What is left of a body that was refused is read and dropped: closing now could take the answer from a client that still sends.
  if (failure.code === "body_too_large") reply.removeHeader("connection");
  void reply.code(failure.status).type("application/json; charset=utf-8").send(JSON.stringify(failure.toWire()));
}

export function failureOf(error: unknown): RemoteError {
  if (error instanceof RemoteError) return error;
  const { code, message, statusCode, validation, validationContext } = error as Partial<FastifyError>;
  const options = { cause: error };
  if (validation !== undefined) return invalid(validation, validationContext, error);
  switch (code) {
    case "FST_ERR_CTP_BODY_TOO_LARGE":
      return new RemoteError("body_too_large", "the body is larger than this endpoint takes", options);
    case "FST_ERR_CTP_INVALID_MEDIA_TYPE":
      return new RemoteError("unsupported_media_type", message ?? "unsupported media type", options);
    case "FST_ERR_CTP_EMPTY_JSON_BODY":
      return new RemoteError("invalid_request", "the body is empty", options);
    case "FST_ERR_CTP_INVALID_JSON_BODY":
      return new RemoteError("invalid_request", "the body is no valid JSON", options);
  }
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return new RemoteError("invalid_request", message ?? "the request is not valid", options);
  }
  return new RemoteError("internal", "something failed inside the stub", options);
}

/** What a validator complains of. */
export function invalidBody(wrongs: unknown): RemoteError {
  return invalid(wrongs, "body", undefined);
}

/** Where no framework stands between. */
export function sendFailure(response: ServerResponse, failure: RemoteError): void {
  response.statusCode = failure.status;
  response.setHeader("content-type", "application/json; charset=utf-8");
  response.end(JSON.stringify(failure.toWire()));
}

interface Wrong {
  instancePath?: string;
  message?: string;
  params?: unknown;
}

/** One wrong field by its path: `body.reply`, `params.id`, `querystring.limit`. */
function invalid(validation: unknown, context: string | undefined, cause: unknown): RemoteError {
  const wrongs = Array.isArray(validation) ? (validation as Wrong[]) : [];
  // Of a union every branch complains; the deepest complaint is nearest to what was meant.
  const wrong = wrongs.reduce<Wrong | undefined>((best, next) => (depth(next) > depth(best) ? next : best), wrongs[0]);
  const named = namesIn(wrong?.params);
  const path = `${context ?? "request"}${(wrong?.instancePath ?? "").replaceAll("/", ".")}${named === "" ? "" : `.${named}`}`;
  const code = context === "params" ? "invalid_id" : "invalid_request";
  return new RemoteError(code, `${path}: ${wrong?.message ?? "is not valid"}`, { cause, details: { path } });
}

function depth(wrong: Wrong | undefined): number {
  return (wrong?.instancePath ?? "").split("/").length;
}

/** The property that is missing or too many. */
function namesIn(params: unknown): string {
  const { requiredProperties, additionalProperties } = (params ?? {}) as Record<string, unknown>;
  const names = Array.isArray(requiredProperties) ? requiredProperties : additionalProperties;
  return Array.isArray(names) ? String(names[0] ?? "") : "";
}

/** What is not HTTP at all, or has headers without end. */
export function answerClientError(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === "ECONNRESET" || !socket.writable) return void socket.destroy();
  const body = JSON.stringify(new RemoteError("invalid_request", "this is no valid HTTP request").toWire());
  const status = error.code === "HPE_HEADER_OVERFLOW" ? "431 Request Header Fields Too Large" : "400 Bad Request";
  const head = [
    `HTTP/1.1 ${status}`,
    "content-type: application/json",
    `content-length: ${body.length}`,
    "connection: close",
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`);
}
