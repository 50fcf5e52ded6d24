// GET /audit: the last lines of the audit log, as they are.
import { AuditQuery } from "../../protocol/audit.js";
import type { Services } from "../services.js";
import type { TypedApp } from "./typed.js";

export function auditRoutes(app: TypedApp, { audit }: Pick<Services, "audit">): void {
  app.get("/audit", { schema: { querystring: AuditQuery } }, async (request, reply) => {
    const lines = await audit.tail(request.query.limit ?? 200, request.query.since);
    return reply.type("application/x-ndjson; charset=utf-8").send(lines);
  });
}
