// What this stub is and where it runs: facts that many parts need, decided once by the entry.
import type { Enforcement } from "../protocol/health.js";

export interface HostFacts {
  hostname: string;
  platform: string;
  arch: string;
  /** Canonical. */
  home: string;
  user: string;
  /** Of the user, at the stub's start. */
  umask: number;
  /** Canonical. */
  installRoot: string;
  stub: {
    pid: number;
    /** Milliseconds since the epoch. */
    startedAt: number;
    instanceID: string;
    version: string;
  };
}

/** What is enforced so far: paths that the stub itself sees. What a command opens by itself is not. */
export const ENFORCEMENT: Enforcement = { level: "static", ask: false, landlockAbi: 0, gaps: ["command-text"] };
