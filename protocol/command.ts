// Commands: one execution on the host, by the id that the client chose.
import { type Static, Type } from "typebox";
import { Enforcement } from "./health.js";
import { CommandID, PermissionID, SessionID, WorkspaceID } from "./ids.js";
import { AskedPath } from "./permission.js";
import { Access } from "./workspace.js";

export const OnAsk = Type.Union([Type.Literal("wait"), Type.Literal("fail")]);
export type OnAsk = Static<typeof OnAsk>;

/** `stream`: before it starts as `fail`; what it wants while it runs is told in the stream that follows it, and waits for the answer. */
const CommandOnAsk = Type.Union([OnAsk, Type.Literal("stream")]);

export const CommandRequest = Type.Object(
  {
    commandID: CommandID,
    sessionID: SessionID,
    /** With it an unknown session is created in this workspace, which saves a round trip. */
    workspaceID: Type.Optional(WorkspaceID),
    /** Exactly one of `argv` (executed as it is) and `command` (text for bash, else sh). */
    argv: Type.Optional(Type.Array(Type.String({ maxLength: 128 * 1024 }), { minItems: 1, maxItems: 4096 })),
    command: Type.Optional(Type.String({ minLength: 1, maxLength: 1024 * 1024 })),
    /** Absolute, `~/…`, or relative to the workspace's directory. Default: that directory, else a private temporary one. */
    cwd: Type.Optional(Type.String({ minLength: 1, maxLength: 4096 })),
    env: Type.Optional(Type.Record(Type.String({ pattern: "^[A-Za-z_][A-Za-z0-9_]*$" }), Type.String())),
    timeoutMs: Type.Optional(Type.Integer({ minimum: 1, maximum: 7 * 24 * 3600 * 1000 })),
    /** `pipe`: written to by `POST /command/:id/stdin`. Without it stdin is empty. */
    stdin: Type.Optional(Type.Literal("pipe")),
    onAsk: Type.Optional(CommandOnAsk),
    /** Nothing is to hold it to what was approved, for this one run: its user is asked, each time (`permission: "unconfined"`). */
    unconfined: Type.Optional(Type.Boolean()),
    /** The answered ask whose `once` this request uses. */
    permissionID: Type.Optional(PermissionID),
  },
  { additionalProperties: false },
);
export type CommandRequest = Static<typeof CommandRequest>;

export const CommandState = Type.Union([
  Type.Literal("queued"),
  Type.Literal("running"),
  Type.Literal("exited"),
  Type.Literal("killed"),
  Type.Literal("lost"),
]);
export type CommandState = Static<typeof CommandState>;

/** Bytes of a stream, both ends included. */
export const ByteRange = Type.Object({ first: Type.Integer(), last: Type.Integer() });
export type ByteRange = Static<typeof ByteRange>;

/** What the host's log of a command does not hold; of each stream one range at most, in its middle. */
export const DroppedOutput = Type.Object({
  stdout: Type.Union([ByteRange, Type.Null()]),
  stderr: Type.Union([ByteRange, Type.Null()]),
  /** `cap`: the log had reached its size. `disk`: the host's disk, or a quota, took no more. */
  reason: Type.Union([Type.Literal("cap"), Type.Literal("disk")]),
});
export type DroppedOutput = Static<typeof DroppedOutput>;

/** What a command wanted and did not get. */
export const Blocked = Type.Object({
  /** The real path. */
  path: Type.String(),
  access: Access,
  /** open, exec, mkdir, rename… */
  operation: Type.String(),
});
export type Blocked = Static<typeof Blocked>;

export const CommandRecord = Type.Object({
  commandID: CommandID,
  sessionID: SessionID,
  workspaceID: WorkspaceID,
  /** What was asked to run, as one line for people. */
  title: Type.String(),
  cwd: Type.String(),
  state: CommandState,
  /** Exit status of the shell; null while it runs and where a signal ended it. */
  exit: Type.Union([Type.Integer(), Type.Null()]),
  /** Name of the signal that ended it, for example SIGKILL. */
  signal: Type.Union([Type.String(), Type.Null()]),
  timedOut: Type.Boolean(),
  aborted: Type.Boolean(),
  /** Milliseconds since the epoch. */
  time: Type.Object({
    created: Type.Integer(),
    started: Type.Optional(Type.Integer()),
    ended: Type.Optional(Type.Integer()),
  }),
  /** Bytes printed so far, and which of them the log has lost; without `dropped` (known at the end): none. */
  output: Type.Object({
    stdout: Type.Integer(),
    stderr: Type.Integer(),
    dropped: Type.Optional(DroppedOutput),
  }),
  /** Processes of this command that were alive when its shell had ended. */
  pending: Type.Integer(),
  /** After a kill: null until it is confirmed, then the pids that could not be ended. */
  survivors: Type.Union([Type.Array(Type.Integer()), Type.Null()]),
  enforcement: Enforcement,
  /** What was refused while it ran, known at its end; absent: nothing. */
  blocked: Type.Optional(Type.Array(Blocked)),
  /** How many more there were. */
  blockedMore: Type.Optional(Type.Integer()),
  /** It failed, and these paths are named in it and there on the host, but not in the view that it has of it. */
  hidden: Type.Optional(Type.Array(Type.String())),
  /** It failed, and these programs in it gain rights by being setuid, which nothing gets that is confined. */
  setuid: Type.Optional(Type.Array(Type.String())),
});
export type CommandRecord = Static<typeof CommandRecord>;

/** POST /command/:id/blocked, of a command that has ended: asks for what it was refused, so that it can be run again. */
export const BlockedRequest = Type.Object(
  { onAsk: Type.Optional(OnAsk), permissionID: Type.Optional(PermissionID) },
  { additionalProperties: false },
);
export type BlockedRequest = Static<typeof BlockedRequest>;

/** What the same command reaches when it is run again in its session; empty: there was nothing to ask for. */
export const BlockedAnswer = Type.Object({ paths: Type.Array(AskedPath) });
export type BlockedAnswer = Static<typeof BlockedAnswer>;

/** GET /command: newest first; the next page is `before` the last one of this. */
export const CommandListQuery = Type.Object({
  workspace: Type.Optional(WorkspaceID),
  session: Type.Optional(SessionID),
  state: Type.Optional(CommandState),
  before: Type.Optional(CommandID),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500 })),
});
export type CommandListQuery = Static<typeof CommandListQuery>;

/** POST /command/:id/stdin, the bytes as the body. */
export const StdinQuery = Type.Object({
  /** Of the first byte. What was taken before is not written again; without it: behind what was taken. */
  offset: Type.Optional(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })),
  /** `1`: the end of stdin is behind these bytes. */
  end: Type.Optional(Type.Union([Type.Literal("0"), Type.Literal("1")])),
});

export const StdinAnswer = Type.Object({
  /** Bytes taken in all: where the next request begins. */
  offset: Type.Integer(),
  /** Nothing more is taken. */
  closed: Type.Boolean(),
});
export type StdinAnswer = Static<typeof StdinAnswer>;
