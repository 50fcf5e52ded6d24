// Which failures mean "the stream broke under the request", as opposed to an answer of the stub.
import { codeOf, RemoteError } from "../../protocol/errors.js";

const BROKEN = new Set([
  "ERR_STREAM_PREMATURE_CLOSE",
  "ERR_STREAM_DESTROYED",
  "ECONNRESET",
  "ECONNABORTED",
  "ENOTCONN",
  "EPIPE",
  "connection_lost",
  "channel_refused",
]);

/** True where the request may have arrived and its answer was lost. */
export function isBroken(error: unknown): boolean {
  const code = codeOf(error);
  return code !== undefined && BROKEN.has(code);
}

/** The error a caller sees: ours stay as they are, everything else is the connection's. */
export function asRemoteError(error: unknown, host: string): RemoteError {
  if (error instanceof RemoteError) return error;
  const text = error instanceof Error ? error.message : String(error);
  return new RemoteError("connection_lost", `the connection to ${host} broke: ${text}`, { cause: error });
}
