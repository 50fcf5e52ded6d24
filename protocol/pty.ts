// Terminals, in OpenCode's shapes (1.18.33): `/pty` and the WebSocket of `/pty/:id/connect`.
import { type Static, Type } from "typebox";
import { OnAsk } from "./command.js";
import { Enforcement } from "./health.js";
import { PermissionID } from "./ids.js";

export const PtyID = Type.String({
  pattern: "^pty_[A-Za-z0-9]{8,64}$",
  description: "pty_ and 8-64 letters or digits",
});

export const PtySize = Type.Object(
  { rows: Type.Integer({ minimum: 1, maximum: 10_000 }), cols: Type.Integer({ minimum: 1, maximum: 10_000 }) },
  { additionalProperties: false },
);
export type PtySize = Static<typeof PtySize>;

/** OpenCode's Pty. */
export const Pty = Type.Object({
  id: Type.String(),
  title: Type.String(),
  command: Type.String(),
  args: Type.Array(Type.String()),
  /** Canonical. */
  cwd: Type.String(),
  status: Type.Union([Type.Literal("running"), Type.Literal("exited")]),
  pid: Type.Integer(),
  /** Once it has exited; 128 and the signal's number where a signal ended it, as shells say it. */
  exitCode: Type.Optional(Type.Integer()),
  /** What holds it; nothing is asked in a terminal. Missing in answers of older stubs. */
  enforcement: Type.Optional(Enforcement),
});
export type Pty = Static<typeof Pty>;

const Text = Type.String({ maxLength: 64 * 1024, pattern: "^[^\\u0000]*$" });

/** POST /pty. OpenCode's, and `size` (else 80 × 24). Default: the user's login shell in the workspace's directory. */
export const PtyCreate = Type.Object(
  {
    command: Type.Optional(Type.String({ minLength: 1, maxLength: 4096, pattern: "^[^\\u0000]*$" })),
    args: Type.Optional(Type.Array(Text, { maxItems: 1024 })),
    cwd: Type.Optional(Type.String({ minLength: 1, maxLength: 4096 })),
    title: Type.Optional(Type.String({ maxLength: 1024 })),
    env: Type.Optional(Type.Record(Type.String({ pattern: "^[^=\\u0000]+$" }), Text, { additionalProperties: false })),
    size: Type.Optional(PtySize),
  },
  { additionalProperties: false },
);
export type PtyCreate = Static<typeof PtyCreate>;

/** Query of POST /pty, which may ask for its directory. */
export const PtyCreateQuery = Type.Object({
  workspace: Type.Optional(Type.String()),
  onAsk: Type.Optional(OnAsk),
  permissionID: Type.Optional(PermissionID),
});

/** PUT /pty/:id. */
export const PtyUpdate = Type.Object(
  { title: Type.Optional(Type.String({ maxLength: 1024 })), size: Type.Optional(PtySize) },
  { additionalProperties: false },
);
export type PtyUpdate = Static<typeof PtyUpdate>;

/** Of `/pty/:id/connect`: output behind it is wanted. -1: only what comes; what is no such number counts as 0. */
export const PtyConnectQuery = Type.Object({
  workspace: Type.Optional(Type.String()),
  cursor: Type.Optional(Type.String({ maxLength: 32 })),
});

/**
 * A control frame: binary, a zero byte and JSON. The first follows the replay; `cursor` is where the terminal then was.
 * The last one, before the close with 1000, has `exitCode`, too (OpenCode's server does not send that one).
 */
export const PtyControl = Type.Object({
  cursor: Type.Integer({ minimum: 0 }),
  exitCode: Type.Optional(Type.Integer()),
});
export type PtyControl = Static<typeof PtyControl>;

/** Close codes of the WebSocket. */
export const PtyClose = {
  /** The terminal has ended. */
  exited: 1000,
  /** The stub ends. */
  goingAway: 1001,
  /** This client did not take its output: come back with the cursor. */
  tooSlow: 1013,
  /** The terminal was removed. */
  unknown: 4404,
} as const;

export function encodeControl(control: PtyControl): Uint8Array {
  const json = new TextEncoder().encode(JSON.stringify(control));
  const frame = new Uint8Array(json.length + 1);
  frame.set(json, 1);
  return frame;
}

/** The JSON of a control frame, to be checked; undefined for any other bytes. */
export function decodeControl(frame: Uint8Array): unknown {
  if (frame[0] !== 0) return undefined;
  try {
    return JSON.parse(new TextDecoder().decode(frame.subarray(1)));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
