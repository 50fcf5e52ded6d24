// A link to the stub that runs on a host as it is: for looking. Nothing is installed, started or replaced for it, and
// nothing comes back by itself.
import type { Duplex } from "node:stream";
import { RemoteError } from "../../protocol/errors.js";
import type { StubFile } from "../bootstrap/manifest.js";
import { probe } from "../bootstrap/probe.js";
import { registerApprover } from "../bootstrap/register-approver.js";
import type { ConnectionState } from "../runner/runner.js";
import type { Transport } from "../ssh/transport.js";
import { withTimeout } from "../waiting/abort.js";
import type { StubIdentity, StubLink } from "./link.js";
import { findWay, openWay, WAYS, type Way, type WayTarget } from "./way.js";

export interface RunningLinkOptions {
  host: string;
  transport: Transport;
  installRoot: string;
  stub: StubFile;
  /** Limit of each opening of a stream, milliseconds. */
  timeoutMs: number;
  signal?: AbortSignal;
}

/** Undefined where no stub runs. The transport stays the caller's. */
export async function findRunning(options: RunningLinkOptions): Promise<StubLink | undefined> {
  const { transport, installRoot, stub, signal } = options;
  const { root, running } = await probe(transport, { installRoot, stub, signal });
  if (running.identity === null) return undefined;
  const target = { identity: running.identity, root };
  using deadline = withTimeout(signal, options.timeoutMs, "the running stub does not answer");
  const { way, stream } = await findWay(transport, WAYS, target, deadline.signal);
  return new RunningLink(options, target, way, stream);
}

class RunningLink implements StubLink {
  readonly host: string;
  readonly state: ConnectionState = "ready";
  readonly #options: RunningLinkOptions;
  readonly #target: WayTarget;
  readonly #way: Way;
  #first: Duplex | undefined;

  constructor(options: RunningLinkOptions, target: WayTarget, way: Way, first: Duplex) {
    this.host = options.host;
    this.#options = options;
    this.#target = target;
    this.#way = way;
    this.#first = first;
  }

  onProgress(): { [Symbol.dispose](): void } {
    return { [Symbol.dispose]: () => undefined };
  }

  async ready(): Promise<StubIdentity> {
    return this.#target.identity;
  }

  async openStream(signal?: AbortSignal): Promise<Duplex> {
    const first = this.#first;
    this.#first = undefined;
    if (first !== undefined && !first.destroyed) return first;
    using deadline = withTimeout(signal, this.#options.timeoutMs, `${this.host} opened no channel in time`);
    return await openWay(this.#options.transport, this.#way, this.#target, deadline.signal);
  }

  async refresh(): Promise<StubIdentity> {
    throw new RemoteError("stub_unhealthy", `the stub on ${this.host} was started anew meanwhile`);
  }

  async registerApprover(keyID: string, publicKey: Uint8Array, signal?: AbortSignal): Promise<void> {
    const { transport, installRoot } = this.#options;
    await registerApprover(transport, { installRoot, keyID, publicKey, signal });
  }

  async close(): Promise<void> {
    this.#first?.destroy();
  }
}
