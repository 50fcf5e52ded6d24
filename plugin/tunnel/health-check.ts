// The first request with the token on a proved stream: is this the stub that we mean, and do we speak alike?
import type { Duplex } from "node:stream";
import { type Static, Type } from "typebox";
import { Value } from "typebox/value";
import { RemoteError } from "../../protocol/errors.js";
import { Health } from "../../protocol/health.js";
import { isCompatible } from "../../protocol/version.js";
import { WorkspaceStatus } from "../../protocol/workspace.js";
import { exchange, type RawAnswer } from "./exchange.js";
import type { StubIdentity } from "./link.js";

/**
 * Resolves to true where the stream can be used further. Throws `unauthorized` (another token), `stub_unhealthy`
 * (another instance, or no health) and `protocol_mismatch`; the stream is destroyed then.
 */
export async function checkHealth(stream: Duplex, identity: StubIdentity, signal: AbortSignal): Promise<boolean> {
  const answer = await ask(stream, "/global/health", identity, signal);
  try {
    const health = read(Health, answer);
    if (health.stub.instanceID !== identity.instanceID) {
      throw new RemoteError("stub_unhealthy", "another instance of the stub answers: it was started anew");
    }
    if (!isCompatible(health.protocol)) {
      throw new RemoteError("protocol_mismatch", `the stub ${health.version} speaks protocol ${health.protocol.major}`);
    }
  } catch (error) {
    stream.destroy();
    throw error;
  }
  return answer.keepAlive;
}

/** Commands that run under this stub, of all workspaces. Ends the stream. */
export async function countCommands(stream: Duplex, identity: StubIdentity, signal: AbortSignal): Promise<number> {
  const answer = await ask(stream, "/experimental/workspace/status", identity, signal);
  stream.destroy();
  return read(Type.Array(WorkspaceStatus), answer).reduce((sum, each) => sum + each.commands.running, 0);
}

function ask(stream: Duplex, path: string, identity: StubIdentity, signal: AbortSignal): Promise<RawAnswer> {
  return exchange(stream, path, { authorization: `Bearer ${identity.token}` }, signal);
}

function read<T extends typeof Health | ReturnType<typeof Type.Array>>(schema: T, answer: RawAnswer): Static<T> {
  const body = parse(answer.body);
  if (answer.status !== 200) throw RemoteError.fromWire(body, answer.status);
  if (!Value.Check(schema, body)) throw new RemoteError("stub_unhealthy", "the stub answered in another shape");
  return body as Static<T>;
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch (error) {
    throw new RemoteError("stub_unhealthy", "the stub answered something that is no JSON", { cause: error });
  }
}
