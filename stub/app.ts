// The HTTP face of the stub: limits, errors, the guard and the routes. It is built here and listens elsewhere (`main.ts`),
// so that tests can send requests without a socket.
import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import Fastify, { type FastifyBaseLogger, type FastifyInstance } from "fastify";
import { installGuard } from "./auth/guard.js";
import { installFastLane } from "./fast-lane.js";
import { installHandover } from "./handover.js";
import { answerClientError, answerError, installErrors } from "./http-errors.js";
import { installReplayedAnswers } from "./replayed-answers.js";
import { approverRoutes } from "./routes/approver.js";
import { auditRoutes } from "./routes/audit.js";
import { blockedRoutes } from "./routes/blocked.js";
import { clientGone, installClientGone } from "./routes/client-gone.js";
import { type CommandRouteOptions, commandRoutes, obtainCommand } from "./routes/command.js";
import { eventRoutes } from "./routes/event.js";
import { fileRoutes } from "./routes/file.js";
import { fileContentRoutes } from "./routes/file-content.js";
import { type HandoverRoute, handoverRoutes } from "./routes/handover.js";
import { healthRoutes } from "./routes/health.js";
import { permissionRoutes } from "./routes/permission.js";
import { ptyRoutes } from "./routes/pty.js";
import { searchRoutes } from "./routes/search.js";
import { sessionRoutes } from "./routes/session.js";
import { undoRoutes } from "./routes/undo.js";
import { vcsRoutes } from "./routes/vcs.js";
import { workspaceRoutes } from "./routes/workspace.js";
import type { Services } from "./services.js";
import { compileWhenUsed } from "./validator.js";

const JSON_BODY_LIMIT = 1024 * 1024;
const HEADERS_TIMEOUT_MS = 20_000;
/** For the request to come in whole; answers may take as long as they like. */
const REQUEST_TIMEOUT_MS = 15 * 60_000;
/** Clients keep their channels: making one costs a round trip. */
const KEEP_ALIVE_MS = 60 * 60_000;

export interface AppOptions {
  services: Services;
  logger?: FastifyBaseLogger | undefined;
  /** Without it this stub cannot be taken over. */
  handover?: HandoverRoute | undefined;
}

/** Does not listen. Closing it ends streams and waiting asks, not the services. */
export async function buildApp({ services, logger, handover }: AppOptions): Promise<FastifyInstance> {
  const app = Fastify({
    ...(logger === undefined ? { logger: false } : { loggerInstance: logger }),
    logController: new Fastify.LogController({ disableRequestLogging: true }),
    // One for each request would be made before anything is known to be logged: 25 us of every command.
    childLoggerFactory: (shared) => shared,
    bodyLimit: JSON_BODY_LIMIT,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    http: { maxHeaderSize: 32 * 1024, headersTimeout: HEADERS_TIMEOUT_MS },
    routerOptions: { maxParamLength: 256 },
    forceCloseConnections: true,
    clientErrorHandler: answerClientError,
    frameworkErrors: answerError,
    return503OnClosing: false,
    schemaController: {
      compilersFactory: {
        // Typed by Fastify as Ajv's factory, used as any factory of compilers.
        buildValidator: () => compileWhenUsed as never,
        // Answers are typed by the schemas and made by our own services: they need no second look at run time.
        buildSerializer: () => () => JSON.stringify as never,
      },
    },
  }).withTypeProvider<TypeBoxTypeProvider>();
  installErrors(app);
  installClientGone(app);
  installHandover(app, services.handover);
  installGuard(app, { ...services, instanceID: services.host.stub.instanceID });
  installReplayedAnswers(app, { instanceID: services.host.stub.instanceID });
  app.server.on("connection", (socket) => {
    services.presence.connections += 1;
    socket.once("close", () => {
      services.presence.connections -= 1;
    });
  });
  app.addHook("preClose", async () => services.drain());
  healthRoutes(app, services);
  eventRoutes(app, services);
  approverRoutes(app, services);
  workspaceRoutes(app, services);
  sessionRoutes(app, services);
  undoRoutes(app, services);
  permissionRoutes(app, services);
  fileRoutes(app, services);
  searchRoutes(app, services);
  vcsRoutes(app, services);
  auditRoutes(app, services);
  blockedRoutes(app, services);
  if (handover !== undefined) handoverRoutes(app, handover);
  await app.register(async (scope) => fileContentRoutes(scope, services));
  await app.register(async (scope) => ptyRoutes(scope, services));
  const commandOptions: CommandRouteOptions = {
    commands: services.commands,
    admit: (request, body) =>
      services.admission.admit(body, {
        approver: request.approver,
        get signal() {
          return clientGone(request);
        },
      }),
    access: (request, { sessionID }) => void services.sessions.get(sessionID, request.approver),
    visible: (request) => {
      const own = new Set(services.workspaces.list(request.approver).map(({ id }) => id));
      return (workspaceID) => own.has(workspaceID);
    },
  };
  await app.register(commandRoutes, commandOptions);
  await app.ready();
  installFastLane(app, {
    ...services,
    obtain: (requester, body) => obtainCommand(commandOptions, requester, body),
  });
  return app;
}
