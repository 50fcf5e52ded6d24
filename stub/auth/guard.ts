// Every request passes here first: no browsers, no foreign names, the bearer token, and whose approver it is.
import type { IncomingHttpHeaders } from "node:http";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { codeOf, RemoteError } from "../../protocol/errors.js";
import type { Approvers } from "./approvers.js";
import type { Bearer } from "./token.js";

const HOST = /^(127\.0\.0\.1|localhost|\[::1\]|stub)(:\d{1,5})?$/i;
const HEALTH = "/global/health";

declare module "fastify" {
  interface FastifyRequest {
    /** Key id of the approver whose secret came along; null without one. */
    approver: string | null;
  }
}

export interface GuardOptions {
  bearer: Bearer;
  approvers: Approvers;
  instanceID: string;
}

export function installGuard(app: FastifyInstance, options: GuardOptions): void {
  app.decorateRequest("approver", null);
  // by callback, as all hooks on the way of a command: a promise for each costs as much as what it checks
  app.addHook("onRequest", (request, reply, done) => {
    try {
      admit(request, reply, options);
    } catch (error) {
      done(error as Error);
      return;
    }
    done();
  });
}

function admit(request: FastifyRequest, reply: FastifyReply, options: GuardOptions): void {
  try {
    request.approver = identify(request.headers, options);
  } catch (error) {
    if (codeOf(error) === "unauthorized") {
      prove(request, reply, options);
      reply.header("www-authenticate", "Bearer");
    }
    throw error;
  }
}

/** Whose approver it is, null without one. Throws `foreign_origin`, `unauthorized`, `approver_expired`. */
export function identify(
  headers: IncomingHttpHeaders,
  options: Pick<GuardOptions, "bearer" | "approvers">,
): string | null {
  refuseForeign(headers);
  if (!options.bearer.accepts(headers.authorization)) {
    throw new RemoteError("unauthorized", "the bearer token is missing or wrong");
  }
  const secret = headers["x-approver"];
  return typeof secret === "string" ? options.approvers.identify(secret) : null;
}

function refuseForeign(headers: IncomingHttpHeaders): void {
  if (headers.origin !== undefined) throw new RemoteError("foreign_origin", "requests with an Origin are refused");
  if (!HOST.test(headers.host ?? "")) {
    throw new RemoteError("foreign_origin", "the Host header must be 127.0.0.1, localhost, [::1] or stub", {
      hint: "connect to 127.0.0.1, or send the header Host: stub",
    });
  }
}

/** A listener shows that it knows the token before anybody sends it: bound to this instance and to the port that was dialled. */
function prove(request: FastifyRequest, reply: FastifyReply, options: GuardOptions): void {
  const nonce = request.headers["x-stub-challenge"];
  if (typeof nonce !== "string" || request.headers.authorization !== undefined) return;
  if (request.method !== "GET" || request.url.split("?")[0] !== HEALTH) return;
  const overUnixSocket = 0;
  const proof = options.bearer.proof(nonce, options.instanceID, request.socket.localPort ?? overUnixSocket);
  if (proof !== undefined) reply.header("x-stub-proof", proof);
}
