// Workspaces: a directory of the host that its approver named, with what is approved beside it.
import { type Static, Type } from "typebox";
import { ApproverID } from "./approver.js";
import { Enforcement } from "./health.js";
import { PermissionID, WorkspaceID } from "./ids.js";

export const Access = Type.Union([Type.Literal("read"), Type.Literal("write")]);
export type Access = Static<typeof Access>;

/**
 * What a workspace's user wants of the host's kernel. `required`: nothing runs where it cannot hold commands to what was approved.
 * `best`: they run at the best level there is, which every result names. `off`: unconfined, because the user said so.
 */
export const EnforcementWish = Type.Union([Type.Literal("required"), Type.Literal("best"), Type.Literal("off")]);
export type EnforcementWish = Static<typeof EnforcementWish>;

export const WorkspaceCreate = Type.Object(
  {
    id: Type.Optional(WorkspaceID),
    type: Type.String({ minLength: 1, maxLength: 128 }),
    name: Type.Optional(Type.String({ maxLength: 256 })),
    branch: Type.Optional(Type.Union([Type.String({ maxLength: 256 }), Type.Null()])),
    /** Absolute, or starting with `~/`. Without it the workspace has no root: everything asks. */
    directory: Type.Optional(Type.String({ minLength: 1, maxLength: 4096 })),
    readRoots: Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: 4096 }), { maxItems: 64 })),
    /** Default `best`. */
    enforcement: Type.Optional(EnforcementWish),
    /** Default true. False: commands reach no network, as far as the level holds that. */
    network: Type.Optional(Type.Boolean()),
    extra: Type.Optional(Type.Unknown()),
  },
  { additionalProperties: false },
);
export type WorkspaceCreate = Static<typeof WorkspaceCreate>;

/** What a workspace's approver may change: it holds from the next command on. */
export const WorkspaceChange = Type.Object(
  { enforcement: Type.Optional(EnforcementWish), network: Type.Optional(Type.Boolean()) },
  { additionalProperties: false },
);
export type WorkspaceChange = Static<typeof WorkspaceChange>;

export const Workspace = Type.Object({
  id: WorkspaceID,
  type: Type.String(),
  name: Type.String(),
  branch: Type.Union([Type.String(), Type.Null()]),
  /** The canonical real path; null for a workspace without a root. */
  directory: Type.Union([Type.String(), Type.Null()]),
  readRoots: Type.Array(Type.String()),
  /** Missing: `best`. */
  enforcement: Type.Optional(EnforcementWish),
  /** Missing: true. */
  network: Type.Optional(Type.Boolean()),
  extra: Type.Unknown(),
  /** The installation that created it. */
  approver: ApproverID,
  time: Type.Object({ created: Type.Integer() }),
});
export type Workspace = Static<typeof Workspace>;

export const Approval = Type.Object({
  id: PermissionID,
  /** Canonical real path of a directory (and all below it) or of one file. */
  path: Type.String(),
  access: Access,
  source: Type.Union([Type.Literal("root"), Type.Literal("readRoot"), Type.Literal("reply")]),
  dev: Type.String(),
  ino: Type.String(),
  time: Type.Object({ created: Type.Integer() }),
});
export type Approval = Static<typeof Approval>;

export const WorkspaceStatus = Type.Object({
  workspaceID: WorkspaceID,
  status: Type.Union([Type.Literal("connected"), Type.Literal("error")]),
  commands: Type.Object({ running: Type.Integer() }),
});
export type WorkspaceStatus = Static<typeof WorkspaceStatus>;

/** GET /experimental/workspace/:id/context: all that opening a workspace needs, in one answer. */
export const WorkspaceContext = Type.Object({
  workspace: Workspace,
  hostname: Type.String(),
  platform: Type.String(),
  arch: Type.String(),
  home: Type.String(),
  user: Type.String(),
  enforcement: Enforcement,
  stub: Type.Object({
    pid: Type.Integer(),
    startedAt: Type.Integer(),
    instanceID: Type.String(),
    version: Type.String(),
  }),
  /** AGENTS.md, else CLAUDE.md, of the directory; each at most 64 KiB. */
  instructions: Type.Array(Type.Object({ path: Type.String(), text: Type.String() })),
});
export type WorkspaceContext = Static<typeof WorkspaceContext>;
