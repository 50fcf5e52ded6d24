// GET /audit: who ran, asked for and approved what; one line of JSON each, oldest first.
import { type Static, Type } from "typebox";
import { AskedPath } from "./permission.js";

const Event = Type.Enum([
  "command",
  "terminal",
  "exit",
  "ask",
  "reply",
  "approval",
  "workspace",
  "session",
  "revert",
  "approver",
]);

export const AuditLine = Type.Object({
  event: Event,
  /** Key id of the approver whose secret came with the request. */
  approver: Type.Optional(Type.String()),
  workspaceID: Type.Optional(Type.String()),
  sessionID: Type.Optional(Type.String()),
  commandID: Type.Optional(Type.String()),
  ptyID: Type.Optional(Type.String()),
  permissionID: Type.Optional(Type.String()),
  /** As text, or as a list of arguments. */
  command: Type.Optional(Type.Union([Type.String(), Type.Array(Type.String())])),
  cwd: Type.Optional(Type.String()),
  path: Type.Optional(Type.String()),
  access: Type.Optional(Type.String()),
  /** An ask for several paths: all of them. */
  paths: Type.Optional(Type.Array(AskedPath)),
  permission: Type.Optional(Type.String()),
  reason: Type.Optional(Type.String()),
  /**
   * Of a command `approved`, `once`, `private`, `unconfined`; of an ask the reply, or `withdrawn`; of an approval `revoked`; of a
   * workspace `created`, `deleted`; of a file that is put back `written`, `removed`, or why it was left as it is.
   */
  decision: Type.Optional(Type.String()),
  message: Type.Optional(Type.String()),
  exit: Type.Optional(Type.Union([Type.Integer(), Type.Null()])),
  signal: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  state: Type.Optional(Type.String()),
});
export type AuditLine = Static<typeof AuditLine>;

/** As it stands in the log. */
export const LoggedLine = Type.Object({ time: Type.String(), ...AuditLine.properties });
export type LoggedLine = Static<typeof LoggedLine>;

export const AuditQuery = Type.Object({
  /** The last so many lines. */
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000 })),
  /** Milliseconds since the epoch, by the host's clock: nothing that is older. */
  since: Type.Optional(Type.Integer({ minimum: 0 })),
});
export type AuditQuery = Static<typeof AuditQuery>;
