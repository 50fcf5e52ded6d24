// Asks and their answers.
import { type Static, Type } from "typebox";
import { ApproverID } from "./approver.js";
import { PermissionID, SessionID, WorkspaceID } from "./ids.js";
import { Access } from "./workspace.js";

export const Reply = Type.Union([Type.Literal("once"), Type.Literal("always"), Type.Literal("reject")]);
export type Reply = Static<typeof Reply>;

export const PermissionReply = Type.Object(
  { reply: Reply, message: Type.Optional(Type.String({ maxLength: 4096 })) },
  { additionalProperties: false },
);
export type PermissionReply = Static<typeof PermissionReply>;

/** OpenCode's shape (`permission`, `patterns`, `metadata`, `always`), with our own fields beside it. */
export const Ask = Type.Object({
  id: PermissionID,
  sessionID: Type.Union([SessionID, Type.Null()]),
  permission: Type.Literal("external_directory"),
  patterns: Type.Array(Type.String()),
  always: Type.Array(Type.String()),
  metadata: Type.Object({ filepath: Type.String(), parentDir: Type.String() }),
  workspaceID: WorkspaceID,
  approver: ApproverID,
  /** The canonical real path that was refused. */
  path: Type.String(),
  access: Access,
  /** For people: what wanted it. */
  reason: Type.String(),
  time: Type.Object({ created: Type.Integer() }),
});
export type Ask = Static<typeof Ask>;

/** `details` of `permission_required`. */
export const PermissionRequired = Type.Object({
  permissionID: PermissionID,
  path: Type.String(),
  access: Access,
  reason: Type.String(),
});
export type PermissionRequired = Static<typeof PermissionRequired>;
