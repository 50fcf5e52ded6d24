// Sessions: OpenCode's own, mirrored so that commands and asks have a home.
import { type Static, Type } from "typebox";
import { SessionID, WorkspaceID } from "./ids.js";

export const SessionCreate = Type.Object(
  {
    id: Type.Optional(SessionID),
    workspaceID: WorkspaceID,
    title: Type.Optional(Type.String({ maxLength: 512 })),
  },
  { additionalProperties: false },
);
export type SessionCreate = Static<typeof SessionCreate>;

/** OpenCode's session info (facts: 1.18.33). */
export const SessionInfo = Type.Object({
  id: SessionID,
  slug: Type.String(),
  projectID: Type.String(),
  workspaceID: WorkspaceID,
  directory: Type.String(),
  path: Type.String(),
  title: Type.String(),
  version: Type.String(),
  cost: Type.Number(),
  tokens: Type.Object({
    input: Type.Number(),
    output: Type.Number(),
    reasoning: Type.Number(),
    cache: Type.Object({ read: Type.Number(), write: Type.Number() }),
  }),
  time: Type.Object({ created: Type.Integer(), updated: Type.Integer() }),
});
export type SessionInfo = Static<typeof SessionInfo>;

export const SessionStatus = Type.Record(
  Type.String(),
  Type.Object({ type: Type.Union([Type.Literal("idle"), Type.Literal("busy")]) }),
);

export const ShellRequest = Type.Object(
  {
    command: Type.String({ minLength: 1, maxLength: 1024 * 1024 }),
    agent: Type.Optional(Type.String({ maxLength: 256 })),
    model: Type.Optional(Type.Unknown()),
    cwd: Type.Optional(Type.String({ maxLength: 4096 })),
    env: Type.Optional(Type.Record(Type.String(), Type.String())),
    timeoutMs: Type.Optional(Type.Integer({ minimum: 1, maximum: 7 * 24 * 3600 * 1000 })),
    commandID: Type.Optional(Type.String({ pattern: "^cmd_[A-Za-z0-9]{8,64}$" })),
    onAsk: Type.Optional(Type.Union([Type.Literal("wait"), Type.Literal("fail")])),
    permissionID: Type.Optional(Type.String({ pattern: "^per_[A-Za-z0-9]{8,64}$" })),
  },
  { additionalProperties: false },
);
export type ShellRequest = Static<typeof ShellRequest>;
