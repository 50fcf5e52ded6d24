// One HTTP request and its answer, over a pool of streams to the stub. Knows nothing of tokens, retries or JSON.
import type { Dispatcher } from "undici";
import { RemoteError } from "../../protocol/errors.js";

export interface HttpRequest {
  method: "GET" | "POST" | "PUT" | "DELETE";
  /** With its query. */
  path: string;
  headers: Record<string, string>;
  body?: string | Uint8Array;
}

export interface HttpHead {
  status: number;
  /** Lower-case names; a repeated header is its first value. */
  headers: Record<string, string>;
}

/** Slows the answer's body down: while paused nothing is read from the stream, so the other end is slowed too. */
export interface Flow {
  pause(): void;
  resume(): void;
}

export interface Receiver {
  /** The request goes onto a stream now: until here nothing of it has left. */
  sent?(): void;
  head(head: HttpHead): void;
  /** A chunk of the body; a view that is valid during the call only. What it throws ends the exchange. */
  data(chunk: Uint8Array, flow: Flow): void;
}

/** Resolves when the answer has ended. An abort rejects at once with `aborted`, whatever the stream does. */
export function exchange(
  dispatcher: Dispatcher,
  request: HttpRequest,
  receiver: Receiver,
  signal?: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let controller: Dispatcher.DispatchController | undefined;
    let over = false;

    const settle = (error?: unknown) => {
      if (over) return;
      over = true;
      signal?.removeEventListener("abort", onAbort);
      if (error === undefined) resolve();
      else reject(error);
    };
    const stop = (error: Error) => {
      settle(error);
      controller?.abort(error);
    };
    const onAbort = () => stop(abortedError(signal));

    if (signal?.aborted) return settle(abortedError(signal));
    signal?.addEventListener("abort", onAbort, { once: true });

    dispatcher.dispatch(
      { method: request.method, path: request.path, headers: request.headers, body: request.body as Buffer },
      {
        onRequestStart(started) {
          controller = started;
          if (over) started.abort(new Error("the caller is gone"));
          else receiver.sent?.();
        },
        onResponseStart(_, status, headers) {
          if (status < 200 || over) return;
          guard(stop, () => receiver.head({ status, headers: firstValues(headers) }));
        },
        onResponseData(flow, chunk) {
          if (over) return;
          guard(stop, () => receiver.data(chunk, flow));
        },
        onResponseEnd: () => settle(),
        onResponseError: (_, error) => settle(error),
      },
    );
  });
}

export function abortedError(signal?: AbortSignal): RemoteError {
  return new RemoteError("aborted", "aborted", { cause: signal?.reason });
}

function guard(stop: (error: Error) => void, work: () => void): void {
  try {
    work();
  } catch (error) {
    stop(error instanceof Error ? error : new Error(String(error)));
  }
}

function firstValues(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  const first: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    const one = Array.isArray(value) ? value[0] : value;
    if (one !== undefined) first[name] = one;
  }
  return first;
}
