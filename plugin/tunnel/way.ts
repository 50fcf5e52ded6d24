// The ways from a connection to the stub, in the order of liking: its unix socket, its port on the host's loopback
// (proved first), `attach` over an exec channel.
import type { Duplex } from "node:stream";
import { codeOf, RemoteError } from "../../protocol/errors.js";
import { isWithin } from "../../protocol/paths.js";
import type { Transport } from "../ssh/transport.js";
import { attach } from "./attach-stream.js";
import type { StubIdentity } from "./link.js";
import { prove } from "./proof.js";

export type Way = "socket" | "tcp" | "attach";

export const WAYS: readonly Way[] = ["socket", "tcp", "attach"];

export interface WayTarget {
  identity: StubIdentity;
  /** Absolute. A socket outside of it may have been made by somebody else since, and must prove itself. */
  root: string;
}

/** A stream that may be given the token. Throws `channel_refused`, `impostor`, `stub_missing`, `stub_unhealthy`… */
export async function openWay(transport: Transport, way: Way, target: WayTarget, signal: AbortSignal): Promise<Duplex> {
  const { identity, root } = target;
  const stream = await openRaw(transport, way, target, signal);
  // Whoever uses it hears of an error by its own listener; between two users there may be none.
  stream.on("error", ignore);
  if (way === "tcp") await prove(stream, identity, identity.port, signal);
  else if (!isWithin(identity.socket, root)) await prove(stream, identity, 0, signal);
  return stream;
}

function openRaw(transport: Transport, way: Way, target: WayTarget, signal: AbortSignal): Promise<Duplex> {
  const { identity, root } = target;
  switch (way) {
    case "tcp":
      return transport.openTcp(identity.port, signal);
    case "socket":
      return transport.openSocket(identity.socket, signal);
    case "attach":
      return attach(transport, root, identity.socket, signal);
  }
}

/**
 * The first of `ways` that leads there. A socket that sshd forbids looks like one that is missing, so every refusal
 * goes on to the next; the last error is thrown, and `impostor` at once.
 */
export async function findWay(
  transport: Transport,
  ways: readonly Way[],
  target: WayTarget,
  signal: AbortSignal,
): Promise<{ way: Way; stream: Duplex }> {
  let last: unknown = new RemoteError("channel_refused", "there is no way to the stub");
  for (const way of ways) {
    try {
      return { way, stream: await openWay(transport, way, target, signal) };
    } catch (error) {
      if (codeOf(error) !== "channel_refused") throw error;
      last = error;
    }
  }
  throw last;
}

function ignore(): void {
  // The stream is gone; its next user sees that.
}
