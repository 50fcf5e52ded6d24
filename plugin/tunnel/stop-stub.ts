// Ends the stub of a host without starting one: looks what runs there, asks it whether it is busy, then ends it by its pid.

import { RemoteError } from "../../protocol/errors.js";
import type { StubFile } from "../bootstrap/manifest.js";
import { probe } from "../bootstrap/probe.js";
import { stop } from "../bootstrap/stop.js";
import type { Transport } from "../ssh/transport.js";
import { withTimeout } from "../waiting/abort.js";
import { countCommands } from "./health-check.js";
import type { StubIdentity } from "./link.js";
import { findWay, WAYS } from "./way.js";

export interface StopOptions {
  /** Also while commands run: they go on without it. */
  force: boolean;
  signal?: AbortSignal;
}

/** The pid that was ended, null where none ran. Throws `EBUSY` while commands run, unless forced; `timeout`. */
export async function stopStub(
  transport: Transport,
  installRoot: string,
  stub: StubFile,
  healthTimeoutMs: number,
  options: StopOptions,
): Promise<number | null> {
  const { root, running } = await probe(transport, { installRoot, stub, signal: options.signal });
  if (running.identity === null) return null;
  if (!options.force) {
    const busy = await commandsUnder(transport, root, running.identity, healthTimeoutMs, options.signal);
    if (busy > 0) {
      throw new RemoteError("EBUSY", `${busy} command${busy === 1 ? " runs" : "s run"} under the stub`, {
        hint: "wait for their end, or --force: they go on without the stub",
        details: { running: busy },
      });
    }
  }
  return await stop(transport, { installRoot, force: options.force, signal: options.signal });
}

/** A stub that does not answer cannot say that it is busy; ending it harms no command, they go on by themselves. */
async function commandsUnder(
  transport: Transport,
  root: string,
  identity: StubIdentity,
  healthTimeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<number> {
  using deadline = withTimeout(signal, healthTimeoutMs, "the running stub does not answer");
  try {
    const { stream } = await findWay(transport, WAYS, { identity, root }, deadline.signal);
    return await countCommands(stream, identity, deadline.signal);
  } catch (error) {
    if (signal?.aborted || !(error instanceof RemoteError)) throw error;
    return 0;
  }
}
