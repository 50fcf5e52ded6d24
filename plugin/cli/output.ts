// What becomes of output that cannot be written: whoever left early (`| head`) is told nothing, a full disk is an error.
import { constants } from "node:os";
import { codeOf, RemoteError } from "../../protocol/errors.js";

/** Nobody reads any more. Ends the program as SIGPIPE would: silently. */
export class ReaderLeft extends Error {
  override readonly name = "ReaderLeft";
  readonly status = 128 + constants.signals.SIGPIPE;
}

export function outputError(stream: "stdout" | "stderr", error: Error): ReaderLeft | RemoteError {
  const code = codeOf(error);
  // a stream that failed once says the latter from then on
  if (code === "EPIPE" || code === "ERR_STREAM_DESTROYED") return new ReaderLeft(error.message, { cause: error });
  return new RemoteError("output_failed", `${stream}: ${error.message}`, { cause: error });
}
