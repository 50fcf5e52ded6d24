// Search on the host, by the ripgrep that the stub carries.
import { type Static, Type } from "typebox";
import { OnAsk } from "./command.js";
import { PermissionID } from "./ids.js";

const Asking = {
  workspace: Type.Optional(Type.String()),
  onAsk: Type.Optional(OnAsk),
  permissionID: Type.Optional(PermissionID),
};

/** GET /find: matches of a regular expression. `path` defaults to the workspace's directory, `limit` to 100 matches. */
export const FindQuery = Type.Object({
  ...Asking,
  pattern: Type.String({ minLength: 1, maxLength: 64 * 1024 }),
  path: Type.Optional(Type.String({ minLength: 1, maxLength: 4096 })),
  include: Type.Optional(Type.String({ maxLength: 4096 })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000 })),
});
export type FindQuery = Static<typeof FindQuery>;

export const Match = Type.Object({
  path: Type.String(),
  /** From 1. */
  line: Type.Integer(),
  /** The line, cut at 2000 characters. */
  text: Type.String(),
  /** Of the file, milliseconds since the epoch. */
  mtime: Type.Number(),
});
export type Match = Static<typeof Match>;

export const FindAnswer = Type.Object({
  matches: Type.Array(Match),
  truncated: Type.Boolean(),
  /** Some paths could not be read (rg ended with 2 and still found something). */
  partial: Type.Boolean(),
});
export type FindAnswer = Static<typeof FindAnswer>;

/** GET /find/file: file names that contain or fuzzily match `query`. */
export const FindFileQuery = Type.Object({
  workspace: Type.Optional(Type.String()),
  query: Type.String({ maxLength: 4096 }),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
});

/** POST /glob. `limit` defaults to 100. */
export const GlobRequest = Type.Object(
  {
    pattern: Type.String({ minLength: 1, maxLength: 4096 }),
    path: Type.Optional(Type.String({ minLength: 1, maxLength: 4096 })),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000 })),
    onAsk: Type.Optional(OnAsk),
    permissionID: Type.Optional(PermissionID),
  },
  { additionalProperties: false },
);
export type GlobRequest = Static<typeof GlobRequest>;

export const GlobAnswer = Type.Object({
  /** Absolute paths, newest first. */
  files: Type.Array(Type.Object({ path: Type.String(), mtime: Type.Number() })),
  truncated: Type.Boolean(),
});
export type GlobAnswer = Static<typeof GlobAnswer>;
