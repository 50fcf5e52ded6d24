// One stream per request that runs, kept for the next one. undici's own Pool opens a second stream for a request that
// follows at once (it waits a turn before it reuses the first), which costs a round trip.
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { Client } from "undici";

/** Idle streams beyond this are closed. */
const IDLE_LIMIT = 8;
const HOUR = 3_600_000;

export class StreamPool {
  readonly #open: () => Promise<Duplex>;
  readonly #idle: Client[] = [];
  readonly #all = new Set<Client>();

  constructor(open: () => Promise<Duplex>) {
    this.#open = open;
  }

  /** Runs `work` with a stream of its own: the one used last where it is free, else a new one. */
  async use<T>(work: (client: Client) => Promise<T>): Promise<T> {
    const client = this.#idle.pop() ?? this.#make();
    try {
      return await work(client);
    } finally {
      if (this.#idle.length < IDLE_LIMIT && !client.closed && !client.destroyed) this.#idle.push(client);
      else {
        this.#all.delete(client);
        // Its last request may still be on the way out of the stream.
        client.close().catch(ignore);
      }
    }
  }

  /** What runs goes on; the next request opens a stream of its own. */
  dropIdle(): void {
    for (const client of this.#idle.splice(0)) {
      this.#all.delete(client);
      client.close().catch(ignore);
    }
  }

  /** Breaks what runs. Idempotent. */
  async destroy(): Promise<void> {
    const all = [...this.#all];
    this.#all.clear();
    this.#idle.length = 0;
    await Promise.all(all.map((client) => client.destroy()));
  }

  #make(): Client {
    const client = new Client("http://stub", {
      pipelining: 1,
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: HOUR,
      keepAliveMaxTimeout: HOUR,
      connect: (_options, done) => {
        this.#open().then(
          (stream) => done(null, stream as Socket),
          (error) => done(error, null),
        );
      },
    });
    this.#all.add(client);
    return client;
  }
}

function ignore(): void {
  // It was destroyed meanwhile.
}
