// The kernels that are booted, and what is expected there: the level that the product picks, by trying.
import type { EnforcementLevel } from "../../../protocol/health.js";
import type { Guest } from "./machine.js";

export interface ExpectedGuest extends Guest {
  level: EnforcementLevel;
  landlockAbi: number;
  /** The guest with the same kernel and disk that shows that the attacks work unconfined; undefined: this one does. */
  controlledBy?: string;
}

const BOOKWORM = { suite: "bookworm", arch: "amd64" } as const;
const NO_LANDLOCK = "capability,yama";

export const DEBIAN: ExpectedGuest[] = [
  { name: "5.10", suite: "bullseye", arch: "amd64", level: "mount", landlockAbi: 0 },
  { name: "6.1", ...BOOKWORM, level: "mount+landlock", landlockAbi: 2 },
  { name: "6.12", suite: "trixie", arch: "amd64", level: "mount+landlock", landlockAbi: 6 },
];

export const LACKING: ExpectedGuest[] = [
  { name: "6.1-nolandlock", ...BOOKWORM, lsm: NO_LANDLOCK, level: "mount", landlockAbi: 0 },
  { name: "6.1-nouserns", ...BOOKWORM, userNamespaces: 0, level: "landlock", landlockAbi: 2 },
  { name: "6.1-nolandlock-nouserns", ...BOOKWORM, lsm: NO_LANDLOCK, userNamespaces: 0, level: "guard", landlockAbi: 0 },
].map((guest) => ({ ...guest, controlledBy: "6.1" }) as ExpectedGuest);

export const ARM: ExpectedGuest = {
  name: "6.1-arm64",
  suite: "bookworm",
  arch: "arm64",
  level: "mount+landlock",
  landlockAbi: 2,
};
