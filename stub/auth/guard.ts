// Every request passes here first: no browsers, no foreign names, the bearer token, and whose approver it is.
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { RemoteError } from "../../protocol/errors.js";
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
  refuseForeign(request);
  if (!options.bearer.accepts(request.headers.authorization)) {
    prove(request, reply, options);
    reply.header("www-authenticate", "Bearer");
    throw new RemoteError("unauthorized", "the bearer token is missing or wrong");
  }
  const secret = request.headers["x-approver"];
  if (typeof secret === "string") request.approver = options.approvers.identify(secret);
}

function refuseForeign(request: FastifyRequest): void {
  if (request.headers.origin !== undefined)
    throw new RemoteError("foreign_origin", "requests with an Origin are refused");
  if (!HOST.test(request.headers.host ?? "")) {
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
