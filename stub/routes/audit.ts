// GET /audit: the last lines of the audit log, as they are.
import { Type } from "typebox";
import type { Services } from "../services.js";
import type { TypedApp } from "./typed.js";

const Query = Type.Object({ limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000 })) });

export function auditRoutes(app: TypedApp, { audit }: Pick<Services, "audit">): void {
  app.get("/audit", { schema: { querystring: Query } }, async (request, reply) => {
    const lines = await audit.tail(request.query.limit ?? 200);
    return reply.type("application/x-ndjson; charset=utf-8").send(lines);
  });
}
