// Which named gaps a level leaves open on this kernel: pure. docs/security.md has the list, the escape suite proves it.
import type { Gap } from "../../protocol/gaps.js";
import type { Enforcement } from "../../protocol/health.js";

export interface GapFacts extends Pick<Enforcement, "level" | "ask" | "landlockAbi"> {
  /** False: the workspace denies it. */
  network: boolean;
  /** False: at a level with `mount` commands see the host's processes. */
  processes?: boolean | undefined;
}

export function gapsOf({ level, ask, landlockAbi, network, processes }: GapFacts): Gap[] {
  const reach: Gap = network ? "network" : "network-denial";
  switch (level) {
    case "off":
      return ["unconfined", "stub-reachable", reach];
    case "static":
      return ["command-text", "stub-reachable", reach];
    case "guard":
      return [
        "race",
        "stub-reachable",
        "pre-existing-hard-links",
        "stat",
        "proc-cmdline",
        "ipc",
        "shared-memory",
        ...(network ? [reach] : []),
      ];
    case "mount":
    case "mount+landlock":
      return [
        "pre-existing-hard-links",
        ...(network ? [reach] : []),
        ...(ask ? [] : ["no-unix-sockets" as const]),
        ...(processes === false ? ["proc-cmdline" as const] : []),
        ...(processes === false && (level === "mount" || landlockAbi < 6) ? ["signals" as const] : []),
      ];
    case "landlock":
      return [
        "pre-existing-hard-links",
        "stat",
        // The supervisor sees these calls, Landlock does not.
        ...(ask ? [] : ["chmod" as const, "no-unix-sockets" as const]),
        ...(network ? [reach] : []),
        ...(landlockAbi < 6 ? ["signals" as const] : []),
        ...(landlockAbi < 2 ? ["move-copies" as const] : []),
        "proc-cmdline",
        "ipc",
        "shared-memory",
      ];
  }
}
