// A change whose answer was lost is sent again by the client, under the same `x-request-id` and with `x-request-retry`.
// It is not done a second time: the answer of the first time is given again. An id begins with the instance that it was
// first sent to; a retry that reaches another instance cannot be judged here, and is told so.
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from "fastify";
import { RemoteError } from "../protocol/errors.js";
import { REQUEST_ID_HEADER, REQUEST_RETRY_HEADER } from "../protocol/request-id.js";

/** Longer than any client tries, milliseconds. */
const KEEP_MS = 10 * 60_000;
/** The oldest go first. */
const KEEP_COUNT = 1000;
/** Bytes of all answers. */
const KEEP_BYTES = 16 * 1024 * 1024;
const ABORTED = 499;

interface Answer {
  status: number;
  type: string;
  payload: string | Buffer;
}

interface Entry {
  /** Method and URL: the id of one request is no other's. */
  what: string;
  at: number;
  size: number;
  /** Undefined where it cannot be given again: it has to be found out anew. */
  answer: Promise<Answer | undefined>;
  settle(answer: Answer | undefined): void;
}

const tooLarge = new RemoteError("answer_lost", "it was done, and its answer is too large to be given twice");
const TOO_LARGE: Answer = {
  status: tooLarge.status,
  type: "application/json; charset=utf-8",
  payload: JSON.stringify(tooLarge.toWire()),
};

declare module "fastify" {
  interface FastifyRequest {
    /** Waits for this request's answer. */
    remembered: Entry | null;
  }
}

export interface ReplayedAnswersOptions {
  instanceID: string;
  now?: () => number;
}

/** To be called before the routes. Commands have their own ids and pass by. */
export function installReplayedAnswers(app: FastifyInstance, options: ReplayedAnswersOptions): void {
  const answers = new Answers(options.now ?? Date.now);
  app.decorateRequest("remembered", null);
  const recall = async (request: FastifyRequest, reply: FastifyReply) => {
    const id = idOf(request, options.instanceID);
    const known = id === undefined ? undefined : await answers.find(id, request);
    if (known !== undefined) return reply.code(known.status).type(known.type).send(known.payload);
  };
  const remember = async (request: FastifyRequest, reply: FastifyReply, payload: unknown) => {
    const entry = request.remembered;
    if (entry === null) return payload;
    request.remembered = null;
    const type = String(reply.getHeader("content-type") ?? "application/json; charset=utf-8");
    answers.settle(entry, { status: reply.statusCode, type, payload: payload as string | Buffer });
    return payload;
  };
  app.addHook("onRoute", (route) => {
    if (!changes(route)) return;
    // Before the route's own: what is remembered is not compressed yet.
    route.preHandler = [recall, ...listOf(route.preHandler)] as never;
    route.onSend = [remember, ...listOf(route.onSend)] as never;
  });
}

function listOf(hooks: unknown): unknown[] {
  if (hooks === undefined) return [];
  return Array.isArray(hooks) ? hooks : [hooks];
}

function changes({ method, url }: RouteOptions): boolean {
  const methods = Array.isArray(method) ? method : [method];
  return !methods.includes("GET") && !url.startsWith("/command") && !url.endsWith("/shell");
}

/** Undefined for a request that is not to be remembered. */
function idOf(request: FastifyRequest, instanceID: string): string | undefined {
  const id = request.headers[REQUEST_ID_HEADER];
  if (typeof id !== "string") return undefined;
  if (!/^[\w-]{1,64}:[\w-]{8,64}$/.test(id)) {
    throw new RemoteError("invalid_request", `${REQUEST_ID_HEADER} is not INSTANCE:RANDOM`);
  }
  if (request.headers[REQUEST_RETRY_HEADER] !== undefined && !id.startsWith(`${instanceID}:`)) {
    throw new RemoteError("answer_lost", "another instance of the stub got this request first");
  }
  return id;
}

class Answers {
  readonly #now: () => number;
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** What was answered before; waits where that is still being found out. Undefined: this request is the one to find it out. */
  async find(id: string, request: FastifyRequest): Promise<Answer | undefined> {
    const what = `${request.method} ${request.url}`;
    for (;;) {
      const known = this.#entries.get(id);
      if (known === undefined) break;
      if (known.what !== what) throw new RemoteError("invalid_request", "this request id is another request's");
      const answer = await known.answer;
      if (answer !== undefined) return answer;
    }
    request.remembered = this.#begin(id, what);
    return undefined;
  }

  settle(entry: Entry, answer: Answer): void {
    // It ended because its client was gone: whoever comes again has it done.
    if (answer.status === ABORTED) {
      entry.settle(undefined);
      return;
    }
    const kept = Buffer.byteLength(answer.payload) > KEEP_BYTES / 4 ? TOO_LARGE : answer;
    entry.size = Buffer.byteLength(kept.payload);
    this.#bytes += entry.size;
    entry.settle(kept);
    this.#forget();
  }

  #begin(id: string, what: string): Entry {
    let resolve: (answer: Answer | undefined) => void = () => undefined;
    const answer = new Promise<Answer | undefined>((done) => {
      resolve = done;
    });
    const entry: Entry = {
      what,
      at: this.#now(),
      size: 0,
      answer,
      settle: (given) => {
        if (given === undefined) this.#entries.delete(id);
        resolve(given);
      },
    };
    this.#entries.set(id, entry);
    this.#forget();
    return entry;
  }

  #forget(): void {
    for (const [id, { at, size }] of this.#entries) {
      const isOld = this.#now() - at > KEEP_MS;
      if (!isOld && this.#entries.size <= KEEP_COUNT && this.#bytes <= KEEP_BYTES) return;
      this.#entries.delete(id);
      this.#bytes -= size;
    }
  }
}
