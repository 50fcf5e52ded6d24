// One HTTP/1.1 request written by hand on a stream that goes on to serve others: for the proof and the first health
// answer, where a client library would send more than we want to say before we know who listens.
import type { Duplex } from "node:stream";
import { RemoteError } from "../../protocol/errors.js";
import { type HttpHead, keepsAlive, parseHead } from "../http/head.js";
import { abortError, throwIfAborted } from "../waiting/abort.js";
import { ANSWER_MAX } from "./constants.js";

export interface RawAnswer extends HttpHead {
  body: Buffer;
  /** False where the other side will end the stream after this answer. */
  keepAlive: boolean;
}

/**
 * GET `path` on `stream`; the stream is afterwards as if nothing had been read, behind the answer.
 * Throws `stub_unhealthy` for anything that is no such answer; the stream is destroyed then.
 */
export async function exchange(
  stream: Duplex,
  path: string,
  headers: Record<string, string>,
  signal: AbortSignal,
): Promise<RawAnswer> {
  throwIfAborted(signal);
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  stream.write(`GET ${path} HTTP/1.1\r\nhost: localhost\r\n${lines.join("")}\r\n`);
  try {
    return await readAnswer(stream, signal);
  } catch (error) {
    stream.destroy();
    throw error;
  }
}

function readAnswer(stream: Duplex, signal: AbortSignal): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    let seen = Buffer.alloc(0);
    const settle = (outcome: () => void) => {
      stream.off("readable", onReadable);
      stream.off("end", onEnd);
      stream.off("close", onEnd);
      stream.off("error", onError);
      signal.removeEventListener("abort", onAbort);
      outcome();
    };
    const onReadable = () => {
      for (let chunk: Buffer | null = stream.read(); chunk !== null; chunk = stream.read()) {
        seen = Buffer.concat([seen, chunk]);
      }
      try {
        const found = parseAnswer(seen);
        if (found === undefined) return;
        settle(() => {
          if (found.rest.length > 0) stream.unshift(found.rest);
          resolve(found.answer);
        });
      } catch (error) {
        settle(() => reject(error));
      }
    };
    const onEnd = () => settle(() => reject(unhealthy("ended the stream instead of answering")));
    const onError = (error: Error) => settle(() => reject(unhealthy(`broke the stream: ${error.message}`, error)));
    const onAbort = () => settle(() => reject(abortError(signal)));
    stream.on("readable", onReadable);
    stream.on("end", onEnd);
    stream.on("close", onEnd);
    stream.on("error", onError);
    signal.addEventListener("abort", onAbort, { once: true });
  });
}

/** Undefined while it is incomplete. `rest` is what came behind the answer. */
export function parseAnswer(seen: Buffer): { answer: RawAnswer; rest: Buffer } | undefined {
  if (seen.length > ANSWER_MAX) throw unhealthy("sent more than an answer");
  const end = seen.indexOf("\r\n\r\n");
  if (end === -1) {
    if (seen.length >= 5 && seen.toString("latin1", 0, 5) !== "HTTP/") throw unhealthy("does not speak HTTP");
    return undefined;
  }
  const head = headOf(seen.toString("latin1", 0, end));
  const length = head.headers["content-length"] ?? "";
  if (!/^\d{1,6}$/.test(length)) throw unhealthy("sent an answer without a length");
  const body = end + 4;
  if (seen.length < body + Number(length)) return undefined;
  return {
    answer: {
      ...head,
      body: seen.subarray(body, body + Number(length)),
      keepAlive: keepsAlive(head),
    },
    rest: seen.subarray(body + Number(length)),
  };
}

function headOf(text: string): HttpHead {
  try {
    return parseHead(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw unhealthy("does not speak HTTP/1.1", error);
  }
}

function unhealthy(what: string, cause?: unknown): RemoteError {
  return new RemoteError("stub_unhealthy", `what listens in the stub's place ${what}`, { cause });
}
