// `POST /command?follow=1`, which every command of a laptop is, goes past the framework: its routing, its hooks and its stream
// for the body take longer than all that the stub itself does for a command. The checks are the same functions in the same
// order; whatever is not just as our own client sends it takes the road that all other requests take.
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { FastifyInstance } from "fastify";
import { Compile } from "typebox/compile";
import { CommandRequest } from "../protocol/command.js";
import { RemoteError } from "../protocol/errors.js";
import { type GuardOptions, identify } from "./auth/guard.js";
import type { Command } from "./commands/types.js";
import type { Handover } from "./handover.js";
import { failureOf, invalidBody, sendFailure } from "./http-errors.js";
import type { Requester } from "./routes/client-gone.js";

const URL = "/command?follow=1";
/** Bytes; a longer body is rare. */
const BODY_LIMIT = 64 * 1024;

export interface FastLaneOptions extends Omit<GuardOptions, "instanceID"> {
  handover: Handover;
  /** As the route has it. Throws RemoteError. */
  obtain(requester: Requester, body: CommandRequest): Promise<Command>;
}

/** To be called when the app is ready: stands before its own listener. */
export function installFastLane(app: FastifyInstance, options: FastLaneOptions): void {
  const road = app.server.listeners("request") as RequestListener[];
  const isCommand = Compile(CommandRequest);

  const run = async (bytes: Buffer, requester: Requester, response: ServerResponse) => {
    try {
      const body = parse(bytes);
      if (!isCommand.Check(body)) throw invalidBody(isCommand.Errors(body));
      (await options.obtain(requester, body)).follow(response);
    } catch (error) {
      const failure = failureOf(error);
      if (failure.status >= 500) app.log.error({ err: error, code: failure.code }, failure.message);
      sendFailure(response, failure);
    }
  };

  app.server.removeAllListeners("request");
  app.server.on("request", (request, response) => {
    const length = lengthOfBody(request);
    const approver = length === undefined ? undefined : approverOf(request, options);
    if (length === undefined || approver === undefined) {
      for (const listener of road) listener(request, response);
      return;
    }
    collect(request, length, (bytes) => void run(bytes, { approver, answer: response }, response));
  });
}

/** Undefined for what is no command, or no plain one. */
function lengthOfBody({ method, url, headers }: IncomingMessage): number | undefined {
  if (url !== URL || method !== "POST" || headers["content-type"] !== "application/json") return undefined;
  if (headers["content-encoding"] !== undefined || headers.expect !== undefined) return undefined;
  const length = Number(headers["content-length"]);
  return length > 0 && length <= BODY_LIMIT ? length : undefined;
}

/** Undefined where it is to be refused, or to wait: the road knows how. */
function approverOf({ headers }: IncomingMessage, options: FastLaneOptions): string | null | undefined {
  if (options.handover.state !== "serving") return undefined;
  try {
    return identify(headers, options);
  } catch {
    return undefined;
  }
}

/** Not by the stream's end, which comes a turn later. */
function collect(request: IncomingMessage, length: number, done: (bytes: Buffer) => void): void {
  const chunks: Buffer[] = [];
  let left = length;
  request.on("data", (chunk: Buffer) => {
    chunks.push(chunk);
    left -= chunk.length;
    if (left === 0) done(chunks.length === 1 ? chunk : Buffer.concat(chunks));
  });
}

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch (error) {
    throw new RemoteError("invalid_request", "the body is no valid JSON", { cause: error });
  }
}
