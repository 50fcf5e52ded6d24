// Version control, in OpenCode's shapes (1.18.33).
import { type Static, Type } from "typebox";
import { OnAsk } from "./command.js";
import { PermissionID } from "./ids.js";

/** Asking: where git keeps the repository may lie outside of what is approved. */
export const VcsQuery = Type.Object({
  workspace: Type.Optional(Type.String()),
  onAsk: Type.Optional(OnAsk),
  permissionID: Type.Optional(PermissionID),
});

/** GET /vcs. `branch` null: detached, or no repository. OpenCode describes both as optional and sends null. */
export const VcsInfo = Type.Object({
  branch: Type.Union([Type.String(), Type.Null()]),
  default_branch: Type.Union([Type.String(), Type.Null()]),
});
export type VcsInfo = Static<typeof VcsInfo>;

const Change = Type.Union([Type.Literal("added"), Type.Literal("deleted"), Type.Literal("modified")]);
export type VcsChange = Static<typeof Change>;

/** GET /vcs/status: against HEAD; `file` is relative to the top of the repository. */
export const VcsFileStatus = Type.Object({
  file: Type.String(),
  additions: Type.Integer(),
  deletions: Type.Integer(),
  status: Change,
});
export type VcsFileStatus = Static<typeof VcsFileStatus>;

/** `git`: the working tree against HEAD. `branch`: against the merge base with the default branch. */
export const VcsMode = Type.Union([Type.Literal("git"), Type.Literal("branch")]);
export type VcsMode = Static<typeof VcsMode>;

/** GET /vcs/diff. `context`: lines around each change; default: the whole file. */
export const VcsDiffQuery = Type.Object({
  ...VcsQuery.properties,
  mode: VcsMode,
  context: Type.Optional(Type.Integer({ minimum: 0, maximum: 2_147_483_647 })),
});

/** One file of a diff. All patches together hold 10 MB: those behind that are empty ones. */
export const VcsFileDiff = Type.Object({
  file: Type.String(),
  patch: Type.Optional(Type.String()),
  additions: Type.Integer(),
  deletions: Type.Integer(),
  status: Type.Optional(Change),
});
export type VcsFileDiff = Static<typeof VcsFileDiff>;

/** GET /file/status: OpenCode's File. */
export const FileStatus = Type.Object({
  path: Type.String(),
  added: Type.Integer(),
  removed: Type.Integer(),
  status: Change,
});
export type FileStatus = Static<typeof FileStatus>;
