// From a stream to a logged-in ssh2 client: greeting, key exchange with the host's key checked, login.
import type { Duplex } from "node:stream";
import ssh2, { type Client } from "ssh2";
import { RemoteError } from "../../../protocol/errors.js";
import { hostTrust } from "../host-trust.js";
import type { OpenOptions, ResolvedHost } from "../transport.js";
import { Authenticator } from "./authenticator.js";
import { coalesceWrites } from "./coalesce.js";
import { Deadline } from "./deadline.js";
import { abortedError, handshakeError, levelOf, type Stage } from "./errors.js";
import { readGreeting } from "./greeting.js";

/**
 * Takes over `stream`: it is destroyed on every failure. Throws `not_ssh`, `no_common_algorithm`, `host_key_*`, `auth_failed`,
 * `passphrase_*`, `identity_unreadable`, `connect_timeout`, `connection_lost`, `aborted`.
 */
export function handshake(host: ResolvedHost, stream: Duplex, options: OpenOptions): Promise<Client> {
  return new Promise((resolve, reject) => {
    const { signal } = options;
    const client = new ssh2.Client();
    let stage: Stage = "greeting";
    let settled = false;

    const settle = (): boolean => {
      if (settled) return false;
      settled = true;
      deadline[Symbol.dispose]();
      signal?.removeEventListener("abort", onAbort);
      return true;
    };
    const fail = (error: RemoteError) => {
      if (!settle()) return;
      // errors of what we take down are of no interest any more
      client.on("error", () => undefined);
      stream.on("error", () => undefined);
      client.end();
      stream.destroy();
      reject(error);
    };
    const onAbort = () => fail(abortedError(signal));
    const deadline = new Deadline(options.connectTimeoutMs, () => {
      if (greeting.bytes > 0 && greeting.software === undefined) fail(handshakeError({ host, stage, greeting }));
      else fail(timedOut(host, stage, options.connectTimeoutMs));
    });

    stream.pause();
    coalesceWrites(stream);
    const greeting = readGreeting(stream);
    if (signal?.aborted) {
      onAbort();
      return;
    }
    signal?.addEventListener("abort", onAbort, { once: true });

    client.once("handshake", () => {
      stage = "authentication";
    });
    client.once("ready", () => {
      if (!settle()) return;
      client.removeListener("error", onError);
      client.removeListener("close", onClose);
      resolve(client);
    });
    const onError = (error: Error) => {
      // a key that did not sign: ssh2 goes on with the next one
      if (levelOf(error) === "agent") return;
      if (stage === "greeting" && greeting.software !== undefined) stage = "key exchange";
      fail(handshakeError({ host, stage, greeting }, error));
    };
    const onClose = () => {
      if (stage === "greeting" && greeting.software !== undefined) stage = "key exchange";
      fail(handshakeError({ host, stage, greeting }));
    };
    client.on("error", onError);
    client.on("close", onClose);

    try {
      const trust = hostTrust(host);
      const authenticator = new Authenticator(host, {
        askPassphrase: options.askPassphrase,
        unlocking: (on) => (on ? deadline.pause() : deadline.resume()),
        fail,
      });
      client.connect({
        sock: stream,
        username: host.user,
        algorithms: { serverHostKey: trust.algorithms },
        hostVerifier: (key: Buffer) => {
          const refusal = trust.check(key);
          if (refusal !== undefined) fail(refusal);
          return refusal === undefined;
        },
        authHandler: authenticator.handler,
        // dropbear and others are no "vendor", but say themselves what they do not have
        strictVendor: false,
        // our own deadline: it stands still while a person types
        readyTimeout: 0,
        // pings only; who is dead is decided by `watchdog.ts`, where any byte counts as life
        keepaliveInterval: options.keepaliveMs,
        keepaliveCountMax: Number.MAX_SAFE_INTEGER,
      });
    } catch (error) {
      fail(
        error instanceof RemoteError
          ? error
          : new RemoteError("internal", "ssh2 refused its options", { cause: error }),
      );
    }
  });
}

function timedOut(host: ResolvedHost, stage: Stage, timeoutMs: number): RemoteError {
  return new RemoteError(
    "connect_timeout",
    `${host.host}:${host.port}: connected, but no ${stage === "greeting" ? "SSH greeting" : `end of the ${stage}`} within ${timeoutMs / 1000} s`,
    { details: { stage } },
  );
}
