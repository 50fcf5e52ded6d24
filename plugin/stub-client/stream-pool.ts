// One stream per request that runs, kept for the next one: the one used last first, for opening one costs a round trip.
import type { Duplex } from "node:stream";
import { HttpConnection } from "./connection.js";

/** Idle streams beyond this are closed. */
const IDLE_LIMIT = 8;

export class StreamPool {
  readonly #open: () => Promise<Duplex>;
  readonly #idle: HttpConnection[] = [];
  readonly #all = new Set<HttpConnection>();

  constructor(open: () => Promise<Duplex>) {
    this.#open = open;
  }

  /** Runs `work` with a connection of its own: the one used last where it is free, else a new one. */
  async use<T>(work: (connection: HttpConnection) => Promise<T>): Promise<T> {
    const connection = this.#idle.pop() ?? this.#make();
    try {
      return await work(connection);
    } finally {
      if (this.#idle.length < IDLE_LIMIT && !connection.ended) this.#idle.push(connection);
      else this.#close(connection);
    }
  }

  /** What runs goes on; the next request opens a stream of its own. */
  dropIdle(): void {
    for (const connection of this.#idle.splice(0)) this.#close(connection);
  }

  /** Breaks what runs. Idempotent. */
  destroy(): void {
    for (const connection of this.#all) connection.destroy();
    this.#all.clear();
    this.#idle.length = 0;
  }

  #make(): HttpConnection {
    const connection = new HttpConnection(this.#open);
    this.#all.add(connection);
    return connection;
  }

  #close(connection: HttpConnection): void {
    this.#all.delete(connection);
    connection.close();
  }
}
