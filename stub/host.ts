// What this stub is and where it runs: facts that many parts need, decided once by the entry.
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
