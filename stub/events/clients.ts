// GET /global/event: one server-sent event stream per client. Headers and `server.connected` go out at once. Events are kept from
// the first client on, until none has been there for a while: nobody else can name an event to go on behind.
import type { IncomingMessage, ServerResponse } from "node:http";
import { HEARTBEAT_SECONDS } from "../../protocol/event.js";
import type { EventBus } from "./bus.js";
import type { Instance } from "./event-id.js";
import { EventJournal, type JournalOptions } from "./journal.js";
import type { KeptEvent, ReplayLimits } from "./replay.js";
import { EventStream } from "./stream.js";

const REPLAY: ReplayLimits = { events: 8192, bytes: 4 * 1024 * 1024 };
/** Milliseconds that events are kept after the last client left. */
const KEEP_MS = 15 * 60_000;

export interface EventClientsOptions {
  instance?: Instance | undefined;
  /** A workspace that is, or was until lately. */
  workspaceOf?: JournalOptions["workspaceOf"];
  /** Between two heartbeats, milliseconds. */
  heartbeatMs?: number | undefined;
  replay?: ReplayLimits | undefined;
  keepMs?: number | undefined;
}

export interface EventClient {
  /** Which events it gets. */
  accepts(event: KeptEvent): boolean;
  /** Its `Last-Event-ID`. */
  lastEventID?: string | undefined;
}

export class EventClients {
  readonly #bus: EventBus;
  readonly #options: EventClientsOptions;
  readonly #streams = new Set<EventStream>();
  #journal: EventJournal | undefined;
  /** While events are kept. */
  #keeping: Disposable | undefined;
  #letGo: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(bus: EventBus, options: EventClientsOptions = {}) {
    this.#bus = bus;
    this.#options = options;
  }

  get size(): number {
    return this.#streams.size;
  }

  /** Takes the response over until the client goes. */
  async add(request: IncomingMessage, response: ServerResponse, client: EventClient): Promise<void> {
    const gone = new AbortController();
    response.once("close", () => gone.abort());
    response.once("error", () => gone.abort());
    // Loaded for the first client: it brings all of HTTP/2 along.
    const { createEventBuffer, createSession } = await import("better-sse");
    await createSession(request, response, { keepAlive: null, retry: null, trustClientEventId: false });
    if (gone.signal.aborted) return;
    if (this.#isClosed) {
      response.end();
      return;
    }
    this.#journal ??= this.#makeJournal((id, frame) => createEventBuffer().id(id).data(frame).dispatch().read());
    const stream = new EventStream({ ...client, journal: this.#journal, response });
    this.#keep(this.#journal);
    this.#streams.add(stream);
    const heartbeatMs = this.#options.heartbeatMs ?? HEARTBEAT_SECONDS * 1000;
    const heartbeat = setInterval(() => stream.heartbeat(), heartbeatMs);
    gone.signal.addEventListener("abort", () => {
      clearInterval(heartbeat);
      this.#streams.delete(stream);
      if (this.#streams.size === 0) this.#keepForAWhile();
    });
    stream.pump();
  }

  /** Ends every stream cleanly, so that clients reconnect. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#letGo);
    this.#journal?.catchUp();
    for (const stream of this.#streams) stream.end();
  }

  #makeJournal(write: JournalOptions["write"]): EventJournal {
    return new EventJournal({
      instance: this.#options.instance,
      limits: this.#options.replay ?? REPLAY,
      workspaceOf: (id) => this.#options.workspaceOf?.(id),
      write,
      onGrown: () => {
        for (const stream of this.#streams) stream.pump();
      },
    });
  }

  #keep(journal: EventJournal): void {
    clearTimeout(this.#letGo);
    this.#keeping ??= this.#bus.subscribe(journal.add);
  }

  #keepForAWhile(): void {
    if (this.#isClosed) return;
    clearTimeout(this.#letGo);
    this.#letGo = setTimeout(() => {
      this.#keeping?.[Symbol.dispose]();
      this.#keeping = undefined;
      this.#journal?.letGo();
    }, this.#options.keepMs ?? KEEP_MS);
    this.#letGo.unref();
  }
}
