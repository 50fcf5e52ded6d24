// GET /global/health: whom we talk to, and what it can enforce.
import { type Static, Type } from "typebox";

/** How far a command is held to what was approved, weakest first; docs/security.md says what each holds. */
export const EnforcementLevel = Type.Enum(["off", "static", "guard", "mount", "landlock", "mount+landlock"]);
export type EnforcementLevel = Static<typeof EnforcementLevel>;

export const Enforcement = Type.Object({
  level: EnforcementLevel,
  /** True where a running command can be paused and its user asked. */
  ask: Type.Boolean(),
  /** Of the host's kernel, whatever the level; 0: it has none. */
  landlockAbi: Type.Integer({ minimum: 0 }),
  /** What this level does not hold, by name: `GAPS` of `gaps.ts` (a newer stub may know more). */
  gaps: Type.Array(Type.String()),
  /** Why it is no better level: what the host lacks, or who asked for this one. */
  reason: Type.Optional(Type.String()),
});
export type Enforcement = Static<typeof Enforcement>;

/** True where the kernel itself refuses what was not approved, whatever the command does: what `required` requires. */
export function isKernelLevel(level: EnforcementLevel): boolean {
  return level === "mount" || level === "landlock" || level === "mount+landlock";
}

/** What is not as it should be, and does not stop the stub. */
export const Problem = Type.Object({
  /**
   * `state_set_aside`: a state file could not be read and lies beside under another name. `state_newer`: a newer stub wrote it,
   * it was left alone. `disk_low`, `inodes_low`. `login_environment`: commands do not get what a login gives.
   * `enforcement`: commands are not held by the kernel here, or the trial of it failed.
   */
  code: Type.String(),
  message: Type.String(),
  path: Type.Optional(Type.String()),
});
export type Problem = Static<typeof Problem>;

export const Health = Type.Object({
  healthy: Type.Literal(true),
  ok: Type.Literal(true),
  version: Type.String(),
  protocol: Type.Object({ major: Type.Integer(), minor: Type.Integer() }),
  hostname: Type.String(),
  platform: Type.String(),
  arch: Type.String(),
  enforcement: Enforcement,
  /** Who holds this host; null until leases are built. */
  lease: Type.Null(),
  stub: Type.Object({
    pid: Type.Integer(),
    /** Milliseconds since the epoch. */
    startedAt: Type.Integer(),
    instanceID: Type.String(),
  }),
  /** Empty where all is well; missing in answers of older stubs. */
  problems: Type.Optional(Type.Array(Problem)),
});
export type Health = Static<typeof Health>;
