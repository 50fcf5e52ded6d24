// A TCP connection to a host, ready for SSH: noDelay from the first byte (without it a round trip costs 40 ms).
import { connect, type Socket } from "node:net";
import { RemoteError } from "../../../protocol/errors.js";
import type { ResolvedHost } from "../transport.js";
import { abortedError, dialError } from "./errors.js";

/** For each address of a name with several; node's own 250 ms is too little for a far host. */
const PER_ADDRESS_MS = 3_000;

/** Paused. Throws `name_unresolved`, `host_unreachable`, `connect_timeout`, `aborted`; leaves no socket behind. */
export function dial(host: ResolvedHost, timeoutMs: number, signal?: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(abortedError(signal));
      return;
    }
    const socket = connect({
      host: host.host,
      port: host.port,
      noDelay: true,
      autoSelectFamilyAttemptTimeout: PER_ADDRESS_MS,
    });
    const fail = (error: Error) => {
      done();
      // The failure that counts is the one being told.
      socket.on("error", () => undefined);
      socket.destroy();
      reject(error);
    };
    const onAbort = () => fail(abortedError(signal));
    const onError = (error: Error) => fail(dialError(host, error));
    const onConnect = () => {
      done();
      socket.pause();
      resolve(socket);
    };
    const timer = setTimeout(() => {
      fail(new RemoteError("connect_timeout", `${host.host}:${host.port}: no answer within ${timeoutMs / 1000} s`));
    }, timeoutMs);
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      socket.removeListener("error", onError);
      socket.removeListener("connect", onConnect);
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    socket.once("error", onError);
    socket.once("connect", onConnect);
  });
}
