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

/** `unconfined`: one run of one command that nothing holds to what was approved; never for always. */
export const AskPermission = Type.Union([Type.Literal("external_directory"), Type.Literal("unconfined")]);
export type AskPermission = Static<typeof AskPermission>;

export const AskedPath = Type.Object({
  /** Canonical real path. */
  path: Type.String(),
  access: Access,
  /** A directory stands for all below it, a file for itself. */
  kind: Type.Union([Type.Literal("directory"), Type.Literal("file")]),
});
export type AskedPath = Static<typeof AskedPath>;

/** OpenCode's shape (`permission`, `patterns`, `metadata`, `always`), with our own fields beside it. */
export const Ask = Type.Object({
  id: PermissionID,
  sessionID: Type.Union([SessionID, Type.Null()]),
  permission: AskPermission,
  /** What `always` would approve: `DIRECTORY/*`, or a file alone. `unconfined`: the command. */
  patterns: Type.Array(Type.String()),
  always: Type.Array(Type.String()),
  metadata: Type.Object({ filepath: Type.String(), parentDir: Type.String() }),
  workspaceID: WorkspaceID,
  approver: ApproverID,
  /** The canonical real path that was refused; the first of `paths`, its access beside it. */
  path: Type.String(),
  access: Access,
  /** All that one answer is for. `unconfined`: the directory that the command is to run in. */
  paths: Type.Array(AskedPath, { minItems: 1 }),
  /** `unconfined`: the whole command. */
  command: Type.Optional(Type.String()),
  /** For people: what wanted it. */
  reason: Type.String(),
  time: Type.Object({ created: Type.Integer() }),
});
export type Ask = Static<typeof Ask>;

/** In a command's stream: this ask of it is answered, or nothing waits for it any more. */
export const AskOver = Type.Object({ id: PermissionID });
export type AskOver = Static<typeof AskOver>;

/** `details` of `permission_required`. */
export const PermissionRequired = Type.Object({
  permissionID: PermissionID,
  permission: AskPermission,
  /** As in the ask. */
  patterns: Type.Optional(Type.Array(Type.String())),
  path: Type.String(),
  access: Access,
  paths: Type.Array(AskedPath, { minItems: 1 }),
  command: Type.Optional(Type.String()),
  reason: Type.String(),
});
export type PermissionRequired = Static<typeof PermissionRequired>;
