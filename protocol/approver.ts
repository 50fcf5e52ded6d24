// The approver: an Ed25519 key of a client installation, exchanged for a short-lived secret of one stub instance.
import { type Static, Type } from "typebox";

/** First 16 hex digits of SHA-256 over the raw 32-byte public key; also the file name below state/approvers/. */
export const ApproverID = Type.String({ pattern: "^[0-9a-f]{16}$" });

export const ApproverRequest = Type.Object(
  {
    keyID: ApproverID,
    instanceID: Type.String({ maxLength: 128 }),
    /** Milliseconds since the epoch by the host's clock (its Date header); 5 minutes either way are accepted. */
    time: Type.Integer(),
    nonce: Type.String({ pattern: "^[A-Za-z0-9_-]{16,64}$" }),
    /** base64url Ed25519 signature over `approverMessage(...)`. */
    signature: Type.String({ maxLength: 128 }),
  },
  { additionalProperties: false },
);
export type ApproverRequest = Static<typeof ApproverRequest>;

export const ApproverAnswer = Type.Object({
  /** To be sent as `x-approver`. */
  approver: Type.String(),
  keyID: ApproverID,
  /** Milliseconds since the epoch; each use moves it on. */
  expiresAt: Type.Integer(),
});
export type ApproverAnswer = Static<typeof ApproverAnswer>;

/** The text that is signed. */
export function approverMessage(request: Pick<ApproverRequest, "instanceID" | "time" | "nonce">): string {
  return `opencode-remote-ssh approver v1\n${request.instanceID}\n${request.time}\n${request.nonce}`;
}

/** The text whose HMAC-SHA256 under the token proves a listener (hex, header `x-stub-proof`). */
export function challengeMessage(nonce: string, instanceID: string, port: number): string {
  return `${nonce}|${instanceID}|${port}`;
}
