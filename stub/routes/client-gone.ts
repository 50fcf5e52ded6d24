// The signal of a request: what waits for a user or searches a disk ends with the client that wanted it.
import type { ServerResponse } from "node:http";
import type { FastifyInstance, FastifyRequest } from "fastify";

declare module "fastify" {
  interface FastifyRequest {
    answer: ServerResponse | null;
  }
}

/** Once per app, before its routes. */
export function installClientGone(app: FastifyInstance): void {
  app.decorateRequest("answer", null);
  app.addHook("onRequest", async (request, reply) => {
    request.answer = reply.raw;
  });
}

/** Aborted when the connection closes before the answer was sent. */
export function clientGone({ answer }: FastifyRequest): AbortSignal {
  const controller = new AbortController();
  answer?.once("close", () => {
    if (!answer.writableFinished) controller.abort();
  });
  return controller.signal;
}
