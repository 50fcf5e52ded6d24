// From a connection to a stub that has answered: warm where something is remembered, else bootstrap, once.

import type { Duplex } from "node:stream";
import { codeOf, RemoteError } from "../../protocol/errors.js";
import { type Bootstrapped, bootstrap } from "../bootstrap/bootstrap.js";
import type { StubFile } from "../bootstrap/manifest.js";
import type { Transport } from "../ssh/transport.js";
import { withTimeout } from "../waiting/abort.js";
import { checkHealth } from "./health-check.js";
import type { Remembered } from "./memory.js";
import { findWay, WAYS, type Way, type WayTarget } from "./way.js";

export interface ReachOptions {
  transport: Transport;
  installRoot: string;
  stub: StubFile;
  healthTimeoutMs: number;
  signal: AbortSignal;
  onProgress(text: string): void;
}

export interface Reached extends Remembered {
  /** Open, proved, answered once; undefined where the stub ends its streams after each answer. */
  stream: Duplex | undefined;
}

/** A stub that answered, and what it took. */
export interface Settled {
  reached: Reached;
  did: { warm: boolean; uploaded: boolean; started: boolean };
}

/** By what is remembered, else by all that it takes; `onCold` hears of that first, and may throw. */
export async function reachStub(
  options: ReachOptions,
  known: Remembered | undefined,
  onCold: () => void,
): Promise<Settled> {
  const warm = known === undefined ? undefined : await reachWarm(options, known);
  if (warm !== undefined) {
    return { reached: warm, did: { warm: true, uploaded: false, started: false } };
  }
  onCold();
  const { bootstrapped, ...reached } = await reachCold(options);
  const { uploaded, started } = bootstrapped;
  return { reached, did: { warm: false, uploaded, started } };
}

/**
 * The remembered way: nothing runs on the host (but `attach` where that is the way). Undefined where it no longer
 * leads to the remembered stub, whatever the reason: the cold path finds out. Throws when the signal aborts.
 */
async function reachWarm(options: ReachOptions, known: Remembered): Promise<Reached | undefined> {
  // Where the socket is refused, the port costs one more round trip; a process on the host would cost more.
  const ways: Way[] = known.way === "socket" ? ["socket", "tcp"] : [known.way];
  try {
    return await greet(options, ways, known);
  } catch (error) {
    if (options.signal.aborted || codeOf(error) === undefined) throw error;
    return undefined;
  }
}

/** Probe, and what it takes. Throws what bootstrap throws, `impostor`, `stub_unhealthy`, `unauthorized`. */
async function reachCold(options: ReachOptions): Promise<Reached & { bootstrapped: Bootstrapped }> {
  const bootstrapped = await bootstrap(options.transport, {
    installRoot: options.installRoot,
    stub: options.stub,
    signal: options.signal,
    onProgress: options.onProgress,
  });
  const reached = await greet(options, WAYS, bootstrapped);
  return { ...reached, bootstrapped };
}

async function greet(options: ReachOptions, ways: readonly Way[], target: WayTarget): Promise<Reached> {
  const { identity, root } = target;
  const message = `the stub did not answer within ${options.healthTimeoutMs} ms`;
  using deadline = withTimeout(options.signal, options.healthTimeoutMs, message);
  try {
    const { way, stream } = await findWay(options.transport, ways, target, deadline.signal);
    const reusable = await checkHealth(stream, identity, deadline.signal);
    if (!reusable) stream.destroy();
    return { identity, root, way, stream: reusable ? stream : undefined };
  } catch (error) {
    if (codeOf(error) === "channel_refused") {
      throw new RemoteError("stub_unhealthy", "the stub listens on nothing that this connection can reach", {
        cause: error,
      });
    }
    throw error;
  }
}
