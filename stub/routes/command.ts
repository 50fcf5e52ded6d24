// POST /command and what belongs to it. Who may run what and where is decided by `admit`; the rest is the service's.
import { Readable } from "node:stream";
import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import type { FastifyPluginAsync, FastifyRequest } from "fastify";
import { Type } from "typebox";
import { CommandListQuery, CommandRecord, CommandRequest, StdinAnswer, StdinQuery } from "../../protocol/command.js";
import { RemoteError } from "../../protocol/errors.js";
import { CommandID } from "../../protocol/ids.js";
import { fingerprintOfRequest } from "../commands/fingerprint.js";
import { openOutput } from "../commands/output.js";
import type { Command, CommandService, CommandSpec } from "../commands/types.js";
import { clientGone, type Requester } from "./client-gone.js";

export interface CommandRouteOptions {
  commands: CommandService;
  /** Session, workspace, path check, asks, audit. Throws RemoteError. `body` is valid by its schema. */
  admit(requester: Requester, body: CommandRequest): Promise<CommandSpec>;
  /** Whether this caller may see and end a command that is there (`approver_foreign`). Throws RemoteError. */
  access?(requester: Requester, record: CommandRecord): void | Promise<void>;
  /** Whose commands this caller may list; default: all. */
  visible?(request: FastifyRequest): (workspaceID: string) => boolean;
}

/** Commands of one list, where the request does not say. */
const PAGE = 50;
const Params = Type.Object({ id: CommandID });
/** What a boolean looks like in a query. */
const Flag = Type.Optional(Type.Union([Type.Literal("0"), Type.Literal("1")]));
const Offset = Type.Optional(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }));
const Stream = Type.Union([Type.Literal("stdout"), Type.Literal("stderr")]);
const OutputQuery = Type.Object({
  stream: Type.Optional(Stream),
  offset: Offset,
  /** Frames; of both streams, from `stdout` and `stderr` on, unless `stream` names one. */
  follow: Flag,
  stdout: Offset,
  stderr: Offset,
});

export const commandRoutes: FastifyPluginAsync<CommandRouteOptions> = async (plain, options) => {
  const app = plain.withTypeProvider<TypeBoxTypeProvider>();
  const { commands } = options;

  const find = async (request: FastifyRequest, id: string): Promise<Command> => {
    const command = commands.get(id);
    if (command === undefined) throw new RemoteError("command_unknown", `no command ${id}`);
    await options.access?.(request, command.record());
    return command;
  };

  app.post(
    "/command",
    {
      schema: {
        body: CommandRequest,
        querystring: Type.Object({ follow: Flag }),
        response: { 200: CommandRecord },
      },
    },
    async (request, reply) => {
      const command = await obtainCommand(options, request, request.body);
      if (request.query.follow === "1") {
        reply.hijack();
        command.follow(reply.raw);
        return reply;
      }
      await command.started;
      return command.record();
    },
  );

  app.get(
    "/command",
    { schema: { querystring: CommandListQuery, response: { 200: Type.Array(CommandRecord) } } },
    async (request) => {
      const { workspace, session, state, before, limit = PAGE } = request.query;
      const visible = options.visible?.(request) ?? (() => true);
      return commands.page({ visible, workspaceID: workspace, sessionID: session, state, before, limit });
    },
  );

  app.get("/command/:id", { schema: { params: Params, response: { 200: CommandRecord } } }, async (request) => {
    return (await find(request, request.params.id)).record();
  });

  app.get("/command/:id/output", { schema: { params: Params, querystring: OutputQuery } }, async (request, reply) => {
    const { stream, offset = 0, follow, stdout = 0, stderr = 0 } = request.query;
    const command = await find(request, request.params.id);
    if (follow === "1") {
      reply.hijack();
      const none = { stdout: Number.MAX_SAFE_INTEGER, stderr: Number.MAX_SAFE_INTEGER };
      command.follow(reply.raw, stream === undefined ? { stdout, stderr } : { ...none, [stream]: offset });
      return reply;
    }
    const name = stream ?? "stdout";
    const output = openOutput(command.openLog(name), offset, command.record().output[name]);
    reply.header("content-type", "application/octet-stream");
    reply.header("content-length", output.length);
    if (output.hole !== undefined) reply.header("x-output-dropped", `${output.hole.first}-${output.hole.last}`);
    return reply.send(output.stream);
  });

  // A scope of its own: its body is taken as it comes, whatever its type, and at the pace of the command.
  await app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser("*", (_request, payload, done) => done(null, payload));
    scope
      .withTypeProvider<TypeBoxTypeProvider>()
      .post(
        "/command/:id/stdin",
        { schema: { params: Params, querystring: StdinQuery, response: { 200: StdinAnswer } } },
        async (request) => {
          const command = await find(request, request.params.id);
          const bytes = request.body instanceof Readable ? readAll(request.body) : [];
          const { offset, end } = request.query;
          return command.write({ bytes, offset, end: end === "1", signal: clientGone(request) });
        },
      );
  });

  app.post("/command/:id/cancel", { schema: { params: Params, response: { 200: CommandRecord } } }, async (request) => {
    return (await find(request, request.params.id)).cancel("abort");
  });
};

/** The same request again is the same command: nothing is asked, nothing runs a second time. */
export async function obtainCommand(
  { commands, admit, access }: CommandRouteOptions,
  requester: Requester,
  body: CommandRequest,
): Promise<Command> {
  const fingerprint = fingerprintOfRequest(body);
  const known = commands.has(body.commandID) ? commands.get(body.commandID) : undefined;
  if (known === undefined) return commands.start({ ...(await admit(requester, body)), fingerprint });
  await access?.(requester, known.record());
  if (known.fingerprint === fingerprint) return known;
  throw new RemoteError("command_conflict", `${body.commandID} is another command`);
}

/** The rest of what a refusal left unread is thrown away: it stands before the next request of its connection. */
async function* readAll(body: Readable): AsyncGenerator<Uint8Array> {
  try {
    yield* body.iterator({ destroyOnReturn: false });
  } finally {
    body.resume();
  }
}
