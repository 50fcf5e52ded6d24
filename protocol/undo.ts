// Undoing what file requests changed: a change names the message of OpenCode's that it belongs to, and a message can be reverted.
import { type Static, Type } from "typebox";
import { MessageID } from "./ids.js";

/**
 * Header of every request that changes files for a message: `ses_…/msg_…/CALL`, the last part percent-encoded and empty where
 * there is no call. Without it nothing is kept of what was there before.
 */
export const CHANGE_HEADER = "x-change-of";

/** What a change belongs to. */
export interface ChangeOf {
  sessionID: string;
  messageID: string;
  /** One tool call of the message; empty: none. */
  callID: string;
}

const SHAPE = /^(ses_[A-Za-z0-9]{8,64})\/(msg_[A-Za-z0-9]{8,64})\/([A-Za-z0-9%._~!*'()-]{0,512})$/;

/** Undefined where one of the ids is of another shape than they have. */
export function toChangeHeader({ sessionID, messageID, callID }: ChangeOf): string | undefined {
  const header = `${sessionID}/${messageID}/${encodeURIComponent(callID)}`;
  return SHAPE.test(header) ? header : undefined;
}

export function fromChangeHeader(header: string): ChangeOf | undefined {
  const [, sessionID, messageID, call] = SHAPE.exec(header) ?? [];
  if (sessionID === undefined || messageID === undefined || call === undefined) return undefined;
  try {
    return { sessionID, messageID, callID: decodeURIComponent(call) };
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}

/** POST /session/:id/revert: what was changed in this message and behind it is put back; what was put back before it comes again. */
export const RevertRequest = Type.Object(
  {
    messageID: MessageID,
    /** Of this message only these calls; of the ones behind it everything. */
    callIDs: Type.Optional(Type.Array(Type.String({ maxLength: 512 }), { maxItems: 1000 })),
  },
  { additionalProperties: false },
);
export type RevertRequest = Static<typeof RevertRequest>;

/** `conflict`: somebody else changed it since. `not_approved`: not any more. `not_kept`: there is no image of it. */
const Reason = Type.Enum(["conflict", "not_approved", "not_kept", "failed"]);

/** Canonical paths on the host. */
export const RevertAnswer = Type.Object({
  changed: Type.Array(Type.Object({ path: Type.String(), now: Type.Enum(["written", "removed"]) })),
  left: Type.Array(Type.Object({ path: Type.String(), reason: Reason, message: Type.Optional(Type.String()) })),
});
export type RevertAnswer = Static<typeof RevertAnswer>;

/** DELETE /session/:id/revert: nothing of these can be put back any more. */
export const ForgetQuery = Type.Object({
  /** The session is no more. */
  all: Type.Optional(Type.Boolean()),
  /** What is reverted now. */
  reverted: Type.Optional(Type.Boolean()),
  /** Comma-separated; what was changed in them. */
  messageIDs: Type.Optional(Type.String({ maxLength: 200_000 })),
});
export type ForgetQuery = Static<typeof ForgetQuery>;
