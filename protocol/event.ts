// GET /global/event: OpenCode's frames, `data: {directory, project, workspace, payload}`.
import { type Static, Type } from "typebox";

export const EventPayload = Type.Object({
  id: Type.String(),
  /** OpenCode's types, and command.started|output|ended, permission.asked|replied, lease.changed, stub.gap, stub.draining. */
  type: Type.String(),
  properties: Type.Unknown(),
});
export type EventPayload = Static<typeof EventPayload>;

export const EventFrame = Type.Object({
  directory: Type.Optional(Type.String()),
  project: Type.Optional(Type.String()),
  workspace: Type.Optional(Type.String()),
  payload: EventPayload,
});
export type EventFrame = Static<typeof EventFrame>;

/** Seconds between two `server.heartbeat` frames. */
export const HEARTBEAT_SECONDS = 10;
