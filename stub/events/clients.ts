// GET /global/event: one server-sent event stream per client. Headers and `server.connected` go out at once; a client that
// does not read is dropped (it sees its stream end, and connects again) before its backlog costs memory.
import type { IncomingMessage, ServerResponse } from "node:http";
import { type EventFrame, HEARTBEAT_SECONDS } from "../../protocol/event.js";
import { newID } from "../../protocol/ids.js";
import type { EventBus } from "./bus.js";

export interface EventClientsOptions {
  /** Between two heartbeats, milliseconds. */
  heartbeatMs?: number | undefined;
  /** Bytes that may wait for one client. */
  backlogLimit?: number | undefined;
}

export class EventClients {
  readonly #bus: EventBus;
  readonly #heartbeatMs: number;
  readonly #backlogLimit: number;
  readonly #open = new Map<ServerResponse, () => void>();

  constructor(bus: EventBus, options: EventClientsOptions = {}) {
    this.#bus = bus;
    this.#heartbeatMs = options.heartbeatMs ?? HEARTBEAT_SECONDS * 1000;
    this.#backlogLimit = options.backlogLimit ?? 8 * 1024 * 1024;
  }

  get size(): number {
    return this.#open.size;
  }

  /** Takes the response over until the client goes. `accepts` decides which frames it gets. */
  async add(
    request: IncomingMessage,
    response: ServerResponse,
    accepts: (frame: EventFrame) => boolean,
  ): Promise<void> {
    const gone = new AbortController();
    response.once("close", () => gone.abort());
    response.once("error", () => gone.abort());
    // Loaded for the first client: it brings all of HTTP/2 along.
    const { createEventBuffer, createSession } = await import("better-sse");
    const session = await createSession(request, response, { keepAlive: null, retry: null, trustClientEventId: false });
    if (gone.signal.aborted) return;
    const send = (frame: EventFrame) => {
      if (gone.signal.aborted) return;
      void session.batch(createEventBuffer().id(frame.payload.id).data(frame).dispatch());
      if (response.writableLength > this.#backlogLimit) response.destroy();
    };
    const server = (type: string) => send({ payload: { id: newID("evt"), type, properties: {} } });
    const subscription = this.#bus.subscribe((frame) => {
      if (accepts(frame)) send(frame);
    });
    const heartbeat = setInterval(() => server("server.heartbeat"), this.#heartbeatMs);
    this.#open.set(response, () => {
      gone.abort();
      response.end();
    });
    gone.signal.addEventListener("abort", () => {
      clearInterval(heartbeat);
      subscription[Symbol.dispose]();
      this.#open.delete(response);
    });
    server("server.connected");
  }

  /** Ends every stream cleanly, so that clients reconnect. */
  close(): void {
    for (const end of this.#open.values()) end();
  }
}
