// One client's stream: a place in the journal and one write on its way. A client that does not read holds nothing but that write;
// when the journal has let go of what it needs next, it is dropped, connects again and is told of the gap.
import type { ServerResponse } from "node:http";
import type { StubGap } from "../../protocol/event.js";
import { isEventID } from "./event-id.js";
import type { EventJournal } from "./journal.js";
import type { KeptEvent } from "./replay.js";

/** Bytes of one write; a single frame may be larger. */
const BATCH = 64 * 1024;

export interface StreamOptions {
  journal: EventJournal;
  response: ServerResponse;
  /** Which events it gets. */
  accepts(event: KeptEvent): boolean;
  /** What the client saw last. */
  lastEventID?: string | undefined;
}

export class EventStream {
  readonly #options: StreamOptions;
  /** Number of the last event that was sent or is not for this client. */
  #position: number;
  /** Frames that are no events. */
  readonly #control: Buffer[] = [];
  #isWriting = false;
  #isOver = false;

  /** Says `server.connected`, and what is missing. */
  constructor(options: StreamOptions) {
    this.#options = options;
    const { journal, lastEventID } = options;
    journal.catchUp();
    const { head, oldest } = journal.events;
    this.#position = head;
    if (lastEventID === undefined) {
      this.#say(journal.ids.control(head), "server.connected");
      return;
    }
    const position = journal.ids.position(lastEventID);
    if (position === undefined || position > head) {
      // Cut before the gap was told, the client must hear of it next time: until then it is nowhere.
      this.#say(journal.ids.nowhere(), "server.connected");
      this.#sayGap({ reason: "instance", from: isEventID(lastEventID) ? lastEventID : null, missed: null });
      return;
    }
    this.#position = position;
    this.#say(journal.ids.control(position), "server.connected");
    if (position + 1 >= oldest) return;
    this.#position = oldest - 1;
    this.#sayGap({ reason: "evicted", from: lastEventID, missed: oldest - 1 - position });
  }

  /** Sends what there is, as long as the client takes it. */
  pump(): void {
    if (this.#isOver) return;
    const { journal, response, accepts } = this.#options;
    const { events } = journal;
    if (this.#position + 1 < events.oldest) {
      this.#isOver = true;
      response.destroy();
    }
    if (this.#isOver || this.#isWriting) return;
    const parts = this.#control.splice(0);
    let size = 0;
    while (this.#position < events.head && size < BATCH) {
      this.#position += 1;
      const event = events.get(this.#position);
      if (event === undefined || !accepts(event)) continue;
      parts.push(event.bytes);
      size += event.bytes.length;
    }
    if (parts.length === 0) return;
    this.#isWriting = true;
    const last = parts.pop();
    // As they are: all streams share the bytes of an event, also while they wait for a client.
    response.cork();
    for (const part of parts) response.write(part);
    response.write(last, (error) => {
      this.#isWriting = false;
      // The response closes, and says so itself.
      if (!error) this.pump();
    });
    response.uncork();
  }

  /** Nothing for a client that does not even take its events. */
  heartbeat(): void {
    if (this.#isWriting || this.#isOver) return;
    this.#say(this.#options.journal.ids.control(this.#position), "server.heartbeat");
    this.pump();
  }

  /** Ends cleanly, behind everything that the client takes. */
  end(): void {
    if (this.#isOver) return;
    this.pump();
    this.#isOver = true;
    this.#options.response.end();
  }

  #sayGap(gap: Omit<StubGap, "to">): void {
    const { ids } = this.#options.journal;
    const properties: StubGap = { ...gap, to: ids.event(this.#position) };
    this.#say(ids.control(this.#position), "stub.gap", properties);
  }

  #say(id: string, type: string, properties: object = {}): void {
    this.#control.push(this.#options.journal.control(id, type, properties));
  }
}
