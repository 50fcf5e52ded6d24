// What hosts.json remembers of this host's stub, as the tunnel needs it: for the warm path, and only where it still fits.
import type { HostsFile, KnownStub } from "../laptop/hosts-file.js";
import type { ResolvedHost } from "../ssh/transport.js";
import type { Way, WayTarget } from "./way.js";

export interface Remembered extends WayTarget {
  way: Way;
}

export class TunnelMemory {
  readonly #hosts: HostsFile;
  readonly #host: ResolvedHost;
  #pending: Promise<void> = Promise.resolve();

  constructor(hosts: HostsFile, host: ResolvedHost) {
    this.#hosts = hosts;
    this.#host = host;
  }

  /** Undefined where nothing is known, the name leads elsewhere now, or another file than `sha256` was last seen fit. */
  async recall(sha256: string, report: (text: string) => void): Promise<Remembered | undefined> {
    await this.#pending;
    const known = await this.#hosts.get(this.#host.name).catch((error) => report(failure(error)));
    const stub = known?.stub;
    if (stub === undefined || stub.sha256 !== sha256) return undefined;
    if (stub.destination !== this.#destination || stub.installRoot !== this.#host.installRoot) return undefined;
    const { token, instanceID, version, pid, port, socket } = stub;
    return { identity: { token, instanceID, version, pid, port, socket }, root: stub.root, way: stub.way };
  }

  /** Written behind the caller's back, in order; a failure costs the next warm connect and is told to `report`. */
  remember(found: Remembered, sha256: string, isNew: boolean, report: (text: string) => void): void {
    const stub: KnownStub = {
      ...found.identity,
      destination: this.#destination,
      installRoot: this.#host.installRoot,
      root: found.root,
      way: found.way,
      sha256,
    };
    this.#change((known) => ({ ...known, stub, uses: known.uses + (isNew ? 1 : 0), lastUsed: Date.now() }), report);
  }

  rememberApprover(keyID: string, report: (text: string) => void): void {
    this.#change(
      (known) => ({ ...known, approvers: [...known.approvers.filter((each) => each !== keyID), keyID] }),
      report,
    );
  }

  /** Resolves when all of it is written. */
  async settled(): Promise<void> {
    await this.#pending;
  }

  get #destination(): string {
    return `${this.#host.user}@${this.#host.host}:${this.#host.port}`;
  }

  #change(change: Parameters<HostsFile["update"]>[1], report: (text: string) => void): void {
    this.#pending = this.#pending
      .then(() => this.#hosts.update(this.#host.name, change))
      .catch((error) => report(failure(error)));
  }
}

function failure(error: unknown): string {
  return `hosts.json: ${error instanceof Error ? error.message : String(error)}`;
}
