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
});
export type Health = Static<typeof Health>;
