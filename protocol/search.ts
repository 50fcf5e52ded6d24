// Search on the host, by the ripgrep that the stub carries.
import { type Static, Type } from "typebox";
import { OnAsk } from "./command.js";
import { PermissionID } from "./ids.js";

const Asking = {
  workspace: Type.Optional(Type.String()),
  onAsk: Type.Optional(OnAsk),
  permissionID: Type.Optional(PermissionID),
};

const Pattern = Type.String({ minLength: 1, maxLength: 64 * 1024 });
const Path = Type.String({ minLength: 1, maxLength: 4096 });
const Limit = Type.Integer({ minimum: 1, maximum: 10_000 });

/** POST /grep: lines that match a regular expression. `path` defaults to the workspace's directory, `limit` to 100 matches. */
export const GrepRequest = Type.Object(
  {
    pattern: Pattern,
    path: Type.Optional(Path),
    include: Type.Optional(Type.String({ maxLength: 4096 })),
    limit: Type.Optional(Limit),
    onAsk: Type.Optional(OnAsk),
    permissionID: Type.Optional(PermissionID),
  },
  { additionalProperties: false },
);
export type GrepRequest = Static<typeof GrepRequest>;

export const Match = Type.Object({
  /** Absolute. */
  path: Type.String(),
  /** From 1. */
  line: Type.Integer(),
  /** The line without its end, cut at 2000 characters. */
  text: Type.String(),
});
export type Match = Static<typeof Match>;

/** The first that ripgrep found, which is in no order: as OpenCode's grep. */
export const FindAnswer = Type.Object({
  matches: Type.Array(Match),
  /** There are more. */
  truncated: Type.Boolean(),
  /** Some files were not searched (unreadable, or the time was up) or a line was too long to be shown. */
  partial: Type.Boolean(),
});
export type FindAnswer = Static<typeof FindAnswer>;

/** GET /find: OpenCode's `find.text`. `limit` defaults to its 10. */
export const FindQuery = Type.Object({
  ...Asking,
  pattern: Pattern,
  path: Type.Optional(Path),
  include: Type.Optional(Type.String({ maxLength: 4096 })),
  limit: Type.Optional(Limit),
});

/** Of ripgrep's own records, paths relative to the workspace's directory. */
export const TextMatch = Type.Object({
  path: Type.Object({ text: Type.String() }),
  lines: Type.Object({ text: Type.String() }),
  line_number: Type.Integer(),
  absolute_offset: Type.Integer(),
  submatches: Type.Array(
    Type.Object({ match: Type.Object({ text: Type.String() }), start: Type.Integer(), end: Type.Integer() }),
  ),
});
export type TextMatch = Static<typeof TextMatch>;

/** GET /find/file: OpenCode's `find.files`: names like `query`, directories (with a slash) too unless `type` or `dirs` say otherwise. */
export const FindFileQuery = Type.Object({
  workspace: Type.Optional(Type.String()),
  query: Type.String({ maxLength: 4096 }),
  type: Type.Optional(Type.Union([Type.Literal("file"), Type.Literal("directory")])),
  dirs: Type.Optional(Type.Union([Type.Literal("true"), Type.Literal("false")])),
  /** Default: OpenCode's 10. */
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
});

/** POST /glob. `limit` defaults to 100. */
export const GlobRequest = Type.Object(
  {
    pattern: Path,
    path: Type.Optional(Path),
    limit: Type.Optional(Limit),
    onAsk: Type.Optional(OnAsk),
    permissionID: Type.Optional(PermissionID),
  },
  { additionalProperties: false },
);
export type GlobRequest = Static<typeof GlobRequest>;

export const GlobAnswer = Type.Object({
  /** Absolute; the first that ripgrep found, in no order, as OpenCode's glob. */
  files: Type.Array(Type.Object({ path: Type.String() })),
  truncated: Type.Boolean(),
});
export type GlobAnswer = Static<typeof GlobAnswer>;
