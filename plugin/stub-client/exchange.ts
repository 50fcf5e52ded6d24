// One HTTP request and its answer, as the connections to the stub carry them. Nothing of tokens, retries or JSON.
import { RemoteError } from "../../protocol/errors.js";
import type { HttpHead } from "../http/head.js";

export interface HttpRequest {
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** With its query. */
  path: string;
  headers: Record<string, string>;
  body?: string | Uint8Array;
}

/** Slows the answer's body down: while paused nothing is read from the stream, so the other end is slowed too. */
export interface Flow {
  pause(): void;
  resume(): void;
  /** Ends the exchange, which rejects with this. */
  fail(error: Error): void;
}

export interface Receiver {
  /** The request goes onto a stream now: until here nothing of it has left. */
  sent?(): void;
  head(head: HttpHead): void;
  /** A chunk of the body; a view that is valid during the call only. What it throws ends the exchange. */
  data(chunk: Uint8Array, flow: Flow): void;
}

export function abortedError(signal?: AbortSignal): RemoteError {
  return new RemoteError("aborted", "aborted", { cause: signal?.reason });
}
