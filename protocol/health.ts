// GET /global/health: whom we talk to, and what it can enforce.
import { type Static, Type } from "typebox";

const EnforcementLevel = Type.Enum(["off", "static", "guard", "mount", "landlock", "mount+landlock"]);

export const Enforcement = Type.Object({
  level: EnforcementLevel,
  /** True where a running command can be paused and its user asked. */
  ask: Type.Boolean(),
  landlockAbi: Type.Integer({ minimum: 0 }),
  /** What this level does not hold, by name. `command-text`: what a command itself opens is not checked. */
  gaps: Type.Array(Type.String()),
  reason: Type.Optional(Type.String()),
});
export type Enforcement = Static<typeof Enforcement>;

/** What is not as it should be, and does not stop the stub. */
export const Problem = Type.Object({
  /**
   * `state_set_aside`: a state file could not be read and lies beside under another name. `state_newer`: a newer stub wrote it,
   * it was left alone. `disk_low`, `inodes_low`. `login_environment`: commands do not get what a login gives.
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
