// The signal of a request: what waits for a user or searches a disk ends with the client that wanted it.
import type { ServerResponse } from "node:http";
import type { FastifyInstance } from "fastify";

declare module "fastify" {
  interface FastifyRequest {
    answer: ServerResponse | null;
  }
}

/** Who sends a request, and where its answer goes. */
export interface Requester {
  /** Key id; null without one. */
  approver: string | null;
  answer: ServerResponse | null;
}

/** Once per app, before its routes. */
export function installClientGone(app: FastifyInstance): void {
  app.decorateRequest("answer", null);
  app.addHook("onRequest", (request, reply, done) => {
    request.answer = reply.raw;
    done();
  });
}

/** Aborted when the connection closes before the answer was sent. */
export function clientGone({ answer }: Pick<Requester, "answer">): AbortSignal {
  const controller = new AbortController();
  if (answer?.destroyed && !answer.writableFinished) controller.abort();
  answer?.once("close", () => {
    if (!answer.writableFinished) controller.abort();
  });
  return controller.signal;
}
