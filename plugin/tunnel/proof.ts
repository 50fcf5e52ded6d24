// A listener proves that it is the stub before it gets the token, on the very connection that will carry it: it must
// know the token, and be the instance and the port that were read over SSH, so relaying the challenge is no use.
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { Duplex } from "node:stream";
import { challengeMessage } from "../../protocol/approver.js";
import { codeOf, RemoteError } from "../../protocol/errors.js";
import { exchange } from "./exchange.js";
import type { StubIdentity } from "./link.js";

/**
 * Resolves when the stream leads to this stub and may be given the token. `port` is 0 for the unix socket.
 * Throws `impostor`, the stream destroyed, where another program answers. The token is never sent here.
 */
export async function prove(stream: Duplex, identity: StubIdentity, port: number, signal: AbortSignal): Promise<void> {
  const nonce = randomBytes(24).toString("base64url");
  const answer = await exchange(stream, "/global/health", { "x-stub-challenge": nonce }, signal).catch((error) => {
    if (codeOf(error) !== "stub_unhealthy") throw error;
    throw impostor(identity, port, error);
  });
  const expected = createHmac("sha256", identity.token)
    .update(challengeMessage(nonce, identity.instanceID, port))
    .digest();
  const given = Buffer.from(answer.headers["x-stub-proof"] ?? "", "hex");
  if (answer.status !== 401 || given.length !== expected.length || !timingSafeEqual(given, expected)) {
    stream.destroy();
    throw impostor(identity, port);
  }
  if (!answer.keepAlive) {
    stream.destroy();
    throw new RemoteError("stub_unhealthy", "the stub ended the connection on which it proved itself");
  }
}

function impostor(identity: StubIdentity, port: number, cause?: unknown): RemoteError {
  const place = port === 0 ? identity.socket : `port ${port}`;
  return new RemoteError("impostor", `what listens on ${place} of the host is not the stub ${identity.instanceID}`, {
    cause,
  });
}
