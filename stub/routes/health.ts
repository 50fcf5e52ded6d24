// GET /global/health: whom the client talks to. Without a token it answers with a proof only (auth/guard.ts).
import { Health } from "../../protocol/health.js";
import { PROTOCOL } from "../../protocol/version.js";
import type { Services } from "../services.js";
import type { TypedApp } from "./typed.js";

export function healthRoutes(app: TypedApp, services: Pick<Services, "host" | "problems" | "enforcement">): void {
  const { host, problems, enforcement } = services;
  app.get("/global/health", { schema: { response: { 200: Health } } }, async () => {
    const { hostname, platform, arch, stub } = host;
    const { pid, startedAt, instanceID, version } = stub;
    await enforcement.ready;
    return {
      healthy: true as const,
      ok: true as const,
      version,
      protocol: { ...PROTOCOL },
      hostname,
      platform,
      arch,
      enforcement: enforcement.describe(),
      lease: null,
      stub: { pid, startedAt, instanceID },
      problems: await problems.list(),
    };
  });
}
