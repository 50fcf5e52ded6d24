// POST /command/:id/blocked: asks for what an ended command was refused, so that it can be run again.
import { Type } from "typebox";
import { BlockedAnswer, BlockedRequest } from "../../protocol/command.js";
import { RemoteError } from "../../protocol/errors.js";
import { CommandID } from "../../protocol/ids.js";
import type { Services } from "../services.js";
import { clientGone } from "./client-gone.js";
import type { TypedApp } from "./typed.js";

const Params = Type.Object({ id: CommandID });

export function blockedRoutes(
  app: TypedApp,
  { afterRun, commands, sessions }: Pick<Services, "afterRun" | "commands" | "sessions">,
): void {
  app.post(
    "/command/:id/blocked",
    { schema: { params: Params, body: BlockedRequest, response: { 200: BlockedAnswer } } },
    async (request) => {
      const { id } = request.params;
      const command = commands.get(id);
      if (command === undefined) throw new RemoteError("command_unknown", `no command ${id}`);
      const place = sessions.get(command.record().sessionID, request.approver);
      return { paths: await afterRun.ask(command, place, { ...request.body, signal: clientGone(request) }) };
    },
  );
}
