// POST /stub/handover: how a newer stub tells the one that runs that it takes over.
import { type Static, Type } from "typebox";

export const HandoverRequest = Type.Object(
  {
    version: Type.String({ maxLength: 128 }),
    protocol: Type.Object({ major: Type.Integer(), minor: Type.Integer() }),
  },
  { additionalProperties: false },
);
export type HandoverRequest = Static<typeof HandoverRequest>;

/** First line of the answer; the rest of it is silence, as long as the newer stub starts. */
export const HandoverAnswer = Type.Object({
  /** Commands whose ends the newer stub writes into the audit log. */
  commands: Type.Array(Type.String()),
});
export type HandoverAnswer = Static<typeof HandoverAnswer>;
