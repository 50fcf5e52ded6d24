// POST /stub/handover: a newer stub asks this one to stand still. The answer begins when it does, and stays open: the newer one
// closes it when it listens. Where it ends before that, this one goes on.
import { once } from "node:events";
import { RemoteError } from "../../protocol/errors.js";
import { HandoverRequest } from "../../protocol/handover.js";
import { compareVersions, PACKAGE_VERSION, PROTOCOL } from "../../protocol/version.js";
import type { TypedApp } from "./typed.js";

export interface HandoverRoute {
  /** Resolves with the commands whose ends are from now on the newer stub's to record. `gone`: it has closed the connection. */
  begin(gone: AbortSignal): Promise<string[]>;
}

export function handoverRoutes(app: TypedApp, { begin }: HandoverRoute): void {
  app.post("/stub/handover", { schema: { body: HandoverRequest } }, async (request, reply) => {
    const { version, protocol } = request.body;
    if (compareVersions(version, PACKAGE_VERSION) < 0 || protocol.major < PROTOCOL.major) {
      throw new RemoteError("conflict", `stub ${PACKAGE_VERSION} is newer than ${version}`, {
        hint: "use the newer one",
      });
    }
    const gone = new AbortController();
    reply.raw.once("close", () => gone.abort());
    const commands = await begin(gone.signal);
    reply.hijack();
    reply.raw.writeHead(200, { "content-type": "application/json" });
    reply.raw.write(`${JSON.stringify({ commands })}\n`);
    if (!gone.signal.aborted) await once(reply.raw, "close");
  });
}
