// Answers that the gateway gives itself, in OpenCode's shapes (1.18.33).
import { STATUS_CODES } from "node:http";
import { isUnreachable, toolError } from "../failure.js";
import type { BadQuery } from "./query.js";

export interface Answer {
  status: number;
  type: string;
  body: string | Uint8Array;
  headers?: Record<string, string>;
}

export function json(value: unknown, status = 200): Answer {
  return { status, type: "application/json", body: JSON.stringify(value) };
}

/** `/api/*` has another shape for what was asked wrongly. */
export function badQuery(error: BadQuery, api: boolean): Answer {
  const { message } = error;
  return json(
    api
      ? { _tag: "InvalidRequestError", message, kind: "Query" }
      : { name: "BadRequest", data: { message, kind: "Query" } },
    400,
  );
}

/** OpenCode says 500 whatever failed; that there is no way to the host is 503, and the text says why. */
export function failure(error: unknown, host: string): Answer {
  const told = toolError(error, host);
  const message = told instanceof Error ? told.message : String(told);
  return plainError(isUnreachable(error) ? 503 : 500, message);
}

export function plainError(status: number, message: string, headers?: Record<string, string>): Answer {
  return { ...json({ name: "UnknownError", data: { message } }, status), ...(headers ? { headers } : {}) };
}

/** The whole answer; the connection ends behind it. */
export function serialize({ status, type, body, headers = {} }: Answer): Buffer {
  const bytes = Buffer.from(body as Uint8Array);
  const lines = Object.entries({
    "content-type": type,
    "content-length": String(bytes.length),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    vary: "Origin",
    ...headers,
    connection: "close",
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.concat([
    Buffer.from(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n${lines.join("")}\r\n`),
    bytes,
  ]);
}
