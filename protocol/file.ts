// Files of the host. Paths are absolute, `~/…`, or relative to the workspace's directory. Bytes are bytes.
import { type Static, Type } from "typebox";
import { OnAsk } from "./command.js";
import { PermissionID } from "./ids.js";

const Path = Type.String({ minLength: 1, maxLength: 4096 });

/** Query of every GET below /file and /find; the workspace also as header x-workspace. */
const Asking = {
  workspace: Type.Optional(Type.String()),
  onAsk: Type.Optional(OnAsk),
  permissionID: Type.Optional(PermissionID),
};

export const FileQuery = Type.Object({ ...Asking, path: Path });
export type FileQuery = Static<typeof FileQuery>;

export const FileKind = Type.Union([
  Type.Literal("file"),
  Type.Literal("directory"),
  Type.Literal("symlink"),
  Type.Literal("other"),
]);
export type FileKind = Static<typeof FileKind>;

/** GET /file/stat. Follows a final symlink; `path` is the canonical real path. */
export const FileStat = Type.Object({
  path: Type.String(),
  type: FileKind,
  size: Type.Integer(),
  /** Permission bits, for example 0o644. */
  mode: Type.Integer(),
  /** Milliseconds since the epoch. */
  mtime: Type.Number(),
  /** Opaque version tag, for `ifMatch`; absent for what is no regular file. */
  tag: Type.Optional(Type.String()),
});
export type FileStat = Static<typeof FileStat>;

/** GET /file: OpenCode's FileNode, one per entry, directories first, then by name. */
export const FileNode = Type.Object({
  name: Type.String(),
  /** Relative to the workspace's directory where it lies inside, else absolute; a directory's ends with a slash. */
  path: Type.String(),
  absolute: Type.String(),
  type: FileKind,
  /** By the .gitignore and .ignore files from the workspace's directory down. */
  ignored: Type.Boolean(),
});
export type FileNode = Static<typeof FileNode>;

/**
 * GET /file/content?path=&offset=&length=: raw bytes (application/octet-stream), with headers `x-file-tag`,
 * `x-file-size`, `x-file-path` (percent-encoded canonical path). With `accept: application/json`: OpenCode's FileContent.
 */
export const FileContentQuery = Type.Object({
  ...Asking,
  path: Path,
  offset: Type.Optional(Type.Integer({ minimum: 0 })),
  length: Type.Optional(Type.Integer({ minimum: 0 })),
});
export type FileContentQuery = Static<typeof FileContentQuery>;

/** OpenCode's FileContent. */
export const FileContent = Type.Object({
  type: Type.Union([Type.Literal("text"), Type.Literal("binary")]),
  content: Type.String(),
  encoding: Type.Optional(Type.Literal("base64")),
  mimeType: Type.Optional(Type.String()),
});
export type FileContent = Static<typeof FileContent>;

/** PUT /file/content?path=&ifMatch=&parents=: the body is the content (application/octet-stream, at most 32 MiB). */
export const FileWriteQuery = Type.Object({
  ...Asking,
  path: Path,
  /** Tag of the last read; `absent` where the file must not exist yet. Another version there: 409 `conflict`. */
  ifMatch: Type.Optional(Type.String({ maxLength: 256 })),
  parents: Type.Optional(Type.Boolean()),
});
export type FileWriteQuery = Static<typeof FileWriteQuery>;

export const FileWritten = Type.Object({
  path: Type.String(),
  tag: Type.String(),
  size: Type.Integer(),
  existed: Type.Boolean(),
});
export type FileWritten = Static<typeof FileWritten>;

export const FileDeleteQuery = Type.Object({ ...Asking, path: Path, recursive: Type.Optional(Type.Boolean()) });
export const FileMove = Type.Object(
  { from: Path, to: Path, overwrite: Type.Optional(Type.Boolean()), parents: Type.Optional(Type.Boolean()) },
  { additionalProperties: false },
);
export type FileMove = Static<typeof FileMove>;
export const FileMkdir = Type.Object(
  { path: Path, parents: Type.Optional(Type.Boolean()) },
  { additionalProperties: false },
);

/** GET /file/view: what the read tool shows, in one round trip. `offset` is the first line, from 1. */
export const FileViewQuery = Type.Object({
  ...Asking,
  path: Path,
  offset: Type.Optional(Type.Integer({ minimum: 1 })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100_000 })),
});
export type FileViewQuery = Static<typeof FileViewQuery>;

export const FileView = Type.Union([
  Type.Object({
    type: Type.Literal("text"),
    path: Type.String(),
    tag: Type.String(),
    size: Type.Integer(),
    /** Lines from `lineStart` (from 1), without their ends; a line longer than 2000 characters is cut, as the built-in does. */
    lines: Type.Array(Type.String()),
    lineStart: Type.Integer(),
    totalLines: Type.Integer(),
    /** More follows after the last line shown: by the line limit (`lines`) or by 50 KiB of text (`bytes`). */
    truncated: Type.Union([Type.Literal("lines"), Type.Literal("bytes"), Type.Null()]),
    /** The whole text where it has at most 1 MiB and is valid UTF-8: what edit needs without reading again. */
    content: Type.Optional(Type.String()),
  }),
  Type.Object({
    type: Type.Literal("directory"),
    path: Type.String(),
    /** Names, directories with a trailing slash, from `offset`. */
    entries: Type.Array(Type.String()),
    total: Type.Integer(),
    truncated: Type.Boolean(),
  }),
  Type.Object({
    /** An image or a PDF, as the read tool attaches it; at most 20 MiB. */
    type: Type.Literal("media"),
    path: Type.String(),
    tag: Type.String(),
    size: Type.Integer(),
    mime: Type.String(),
    base64: Type.String(),
  }),
  Type.Object({ type: Type.Literal("binary"), path: Type.String(), size: Type.Integer() }),
]);
export type FileView = Static<typeof FileView>;

const LineNumber = Type.Integer({ minimum: 1 });

/** A step that changes nothing; each is what the GET of that name does. */
export const LookStep = Type.Union([
  Type.Object({ op: Type.Literal("stat"), path: Path }),
  Type.Object({
    op: Type.Literal("read"),
    path: Path,
    offset: Type.Optional(Type.Integer({ minimum: 0 })),
    maxBytes: Type.Optional(Type.Integer({ minimum: 0 })),
  }),
  Type.Object({
    op: Type.Literal("view"),
    path: Path,
    offset: Type.Optional(LineNumber),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100_000 })),
  }),
  Type.Object({ op: Type.Literal("list"), path: Path }),
]);
export type LookStep = Static<typeof LookStep>;

/**
 * One step of POST /file/batch, done in order; a failed step is reported and does not stop the others unless `stop`.
 * An answer holds about 16 MiB: what comes behind that is not done and reported as `deferred`, to be sent again.
 */
export const BatchStep = Type.Union([
  ...LookStep.anyOf,
  Type.Object({
    op: Type.Literal("write"),
    path: Path,
    base64: Type.String(),
    ifMatch: Type.Optional(Type.String()),
    parents: Type.Optional(Type.Boolean()),
  }),
  Type.Object({ op: Type.Literal("remove"), path: Path, ifMatch: Type.Optional(Type.String()) }),
  Type.Object({ op: Type.Literal("move"), from: Path, to: Path, parents: Type.Optional(Type.Boolean()) }),
]);
export type BatchStep = Static<typeof BatchStep>;

export const BatchRequest = Type.Object(
  {
    steps: Type.Array(BatchStep, { minItems: 1, maxItems: 1000 }),
    /** Stop at the first failed step; the later ones are reported as `aborted`. */
    stop: Type.Optional(Type.Boolean()),
    /**
     * Steps of several callers that only look: one that must ask fails by itself with `permission_required`, as does one whose
     * answer would fill the batch (`answer_too_large`); the others are done.
     */
    each: Type.Optional(Type.Boolean()),
    onAsk: Type.Optional(OnAsk),
    /** Answered asks whose `once` this batch uses. */
    permissionIDs: Type.Optional(Type.Array(PermissionID, { maxItems: 64 })),
  },
  { additionalProperties: false },
);
export type BatchRequest = Static<typeof BatchRequest>;

export const BatchResult = Type.Object({
  ok: Type.Boolean(),
  error: Type.Optional(
    Type.Object({
      code: Type.String(),
      message: Type.String(),
      hint: Type.Optional(Type.String()),
      details: Type.Optional(Type.Unknown()),
    }),
  ),
  stat: Type.Optional(FileStat),
  /** read: the bytes, the canonical path, the size of the whole file, its tag. */
  base64: Type.Optional(Type.String()),
  path: Type.Optional(Type.String()),
  size: Type.Optional(Type.Integer()),
  tag: Type.Optional(Type.String()),
  /** view; `content` is left out where it is the lines joined by newlines and `ending`. */
  view: Type.Optional(FileView),
  ending: Type.Optional(Type.Union([Type.Literal(""), Type.Literal("\n")])),
  /** list */
  nodes: Type.Optional(Type.Array(FileNode)),
  written: Type.Optional(FileWritten),
});
export type BatchResult = Static<typeof BatchResult>;
export const BatchAnswer = Type.Object({ results: Type.Array(BatchResult) });
export type BatchAnswer = Static<typeof BatchAnswer>;
