// Opens a connection with ssh2: directly, or through jump hosts, each checked and logged in to like any other host.
import type { Duplex } from "node:stream";
import { RemoteError } from "../../../protocol/errors.js";
import type { OpenOptions, OpenTransport, ResolvedHost, Transport } from "../transport.js";
import { dial } from "./dial.js";
import { destinationOf, refusalReason } from "./errors.js";
import { handshake } from "./handshake.js";
import { Ssh2Transport } from "./transport.js";

/**
 * Throws RemoteError: `name_unresolved`, `host_unreachable`, `connect_timeout`, `not_ssh`, `no_common_algorithm`, `host_key_*`,
 * `auth_failed`, `passphrase_*`, `identity_unreadable`, `proxy_failed`, `connection_lost`, `aborted`. Nothing is left open then.
 * `connectTimeoutMs` is for each hop, and stands still while a person is asked.
 */
export const openTransport: OpenTransport = async (host, options) => {
  const opened: Ssh2Transport[] = [];
  try {
    for (const hop of [...host.jumps, host]) {
      opened.push(await openHop(hop, opened.at(-1), options));
    }
  } catch (error) {
    await Promise.all(opened.map((transport) => transport.close()));
    throw opened.length < host.jumps.length ? onTheWay(host, error) : error;
  }
  const last = opened.pop();
  if (last === undefined) throw new Error("a host has at least one hop");
  return opened.length === 0 ? last : throughJumps(last, opened);
};

async function openHop(
  host: ResolvedHost,
  via: Ssh2Transport | undefined,
  options: OpenOptions,
): Promise<Ssh2Transport> {
  const stream =
    via === undefined ? await dial(host, options.connectTimeoutMs, options.signal) : await hop(host, via, options);
  const client = await handshake(host, stream, options);
  return new Ssh2Transport(host, client, stream, options.keepaliveMs);
}

/** The jump host connects for us; its refusal says whether it may not, or could not. */
async function hop(host: ResolvedHost, via: Ssh2Transport, options: OpenOptions): Promise<Duplex> {
  const timeout = AbortSignal.timeout(options.connectTimeoutMs);
  try {
    return await via.forwardTo(
      host.host,
      host.port,
      options.signal ? AbortSignal.any([options.signal, timeout]) : timeout,
    );
  } catch (error) {
    const at = `${host.host}:${host.port}`;
    if (timeout.aborted && !options.signal?.aborted) {
      throw new RemoteError("connect_timeout", `${at}: no answer through ${via.destination}`, { cause: error });
    }
    if (!(error instanceof RemoteError) || error.code !== "channel_refused") throw error;
    const reason = refusalReason(error.details);
    if (reason === 2) {
      throw new RemoteError("host_unreachable", `${via.destination} could not connect to ${at}`, {
        details: { reason },
        cause: error,
      });
    }
    throw new RemoteError("proxy_failed", `${via.destination} does not forward to ${at}: ${error.message}`, {
      details: { reason },
      cause: error,
      hint: "the jump host must allow TCP forwarding (AllowTcpForwarding)",
    });
  }
}

function onTheWay(host: ResolvedHost, error: unknown): unknown {
  if (!(error instanceof RemoteError) || error.code === "aborted") return error;
  const { hint, details } = error;
  return new RemoteError(error.code, `on the way to ${destinationOf(host)}: ${error.message}`, {
    hint,
    details,
    cause: error,
  });
}

/** Closing takes the jumps down as well, the last first; a jump that is lost takes what goes through it with it. */
function throughJumps(last: Ssh2Transport, jumps: Ssh2Transport[]): Transport {
  const closeJumps = async () => {
    for (const jump of jumps.toReversed()) await jump.close();
  };
  last.onClose(() => void closeJumps());
  return {
    destination: last.destination,
    exec: (command, signal) => last.exec(command, signal),
    openSocket: (path, signal) => last.openSocket(path, signal),
    openTcp: (port, signal) => last.openTcp(port, signal),
    onClose: (listener) => last.onClose(listener),
    async close() {
      await last.close();
      await closeJumps();
    },
  };
}
