// GET /global/event: OpenCode's frames, `data: {directory, project, workspace, payload}`, and how a stream is taken up again.
import { type Static, Type } from "typebox";

export const EventPayload = Type.Object({
  /** Also the frame's `id:`. Of one stub: comparable as text, in the order of the stream. */
  id: Type.String(),
  /** OpenCode's types, and command.started|output|ended|settled, permission.asked|replied, lease.changed, stub.gap, stub.draining. */
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

/** `properties` of `stub.gap`: events may be missing here. Whoever keeps a copy of the stub's state reads it again. */
export const StubGap = Type.Object({
  /** evicted: the replay buffer does not reach back that far. instance: the id is of another stub, or of none. */
  reason: Type.Union([Type.Literal("evicted"), Type.Literal("instance")]),
  /** The id that the client came with. Null: it was none of a stub's. */
  from: Type.Union([Type.String(), Type.Null()]),
  /** The stream goes on behind this id. */
  to: Type.String(),
  /** At most so many events are missing, those of other workspaces included. Null: unknown. */
  missed: Type.Union([Type.Integer(), Type.Null()]),
});
export type StubGap = Static<typeof StubGap>;

/** Seconds between two `server.heartbeat` frames. */
export const HEARTBEAT_SECONDS = 10;
