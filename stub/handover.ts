// The old stub's side of an upgrade: it stands still while a newer one reads the state, then ends, or goes on where the newer one
// did not come up. Nothing is refused before it is clear which of the two it is: requests that change something wait meanwhile.
import type { FastifyInstance } from "fastify";
import { RemoteError } from "../protocol/errors.js";

/** A newer stub that has not listened by then is not waited for. */
const DECIDED_WITHIN_MS = 20_000;
/** Streams that are open may go on so long; whoever follows a command or the events finds the rest at the new stub. */
const STREAMS_MS = 10_000;
/** Connections that are idle stay so long: a request that is on its way is refused and sent again, which a closed one may not be. */
const IDLE_MS = 2000;
const LOOK_MS = 250;

export class Handover {
  #state: "serving" | "frozen" | "over" = "serving";
  #decided: Promise<boolean> = Promise.resolve(false);
  readonly #holds: (() => boolean)[] = [];

  /** What lives in this process, terminals for example: it ends only when none of these is true any more. */
  holdWhile(busy: () => boolean): void {
    this.#holds.push(busy);
  }

  get state(): "serving" | "frozen" | "over" {
    return this.#state;
  }

  /** Passes while it serves, waits while it stands still, throws `stub_draining` afterwards. */
  async pass(): Promise<void> {
    if (this.#state === "frozen") await this.#decided;
    if (this.#state === "over") throw refusal();
  }

  /** Whether another stub has taken over; waits where that is not clear yet. */
  async isOver(): Promise<boolean> {
    if (this.#state === "frozen") await this.#decided;
    return this.#state === "over";
  }

  /**
   * Stands still until `gone` aborts (the newer stub listens, or has ended) and `succeeded` says which.
   * Throws `EBUSY` where another one is being waited for.
   */
  freeze(gone: AbortSignal, succeeded: () => Promise<boolean>): Promise<boolean> {
    if (this.#state !== "serving") throw new RemoteError("EBUSY", "this stub is being taken over already");
    this.#state = "frozen";
    this.#decided = this.#decide(gone, succeeded);
    return this.#decided;
  }

  /** Resolves when nothing is open any more, or only what would not end by itself. */
  async drained(app: FastifyInstance, connections: () => number): Promise<void> {
    const began = performance.now();
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      const since = performance.now() - began;
      if (since >= IDLE_MS) app.server.closeIdleConnections();
      if (this.#holds.some((busy) => busy())) continue;
      if (connections() === 0 || since >= STREAMS_MS) return;
    }
  }

  async #decide(gone: AbortSignal, succeeded: () => Promise<boolean>): Promise<boolean> {
    const limit = AbortSignal.timeout(DECIDED_WITHIN_MS);
    await new Promise<void>((resolve) => {
      for (const signal of [gone, limit]) {
        if (signal.aborted) resolve();
        else signal.addEventListener("abort", () => resolve(), { once: true });
      }
    });
    // Where it cannot be made out, the state is not touched again.
    const over = await succeeded().catch(() => true);
    this.#state = over ? "over" : "serving";
    return over;
  }
}

function refusal(): RemoteError {
  return new RemoteError("stub_draining", "a newer stub has taken over");
}

/** Before all other hooks that ask for something. */
export function installHandover(app: FastifyInstance, handover: Handover): void {
  app.addHook("onRequest", (request, reply, done) => {
    const { state } = handover;
    if (state === "serving" || (state === "frozen" && (request.method === "GET" || request.method === "HEAD"))) {
      done();
      return;
    }
    handover.pass().then(
      () => done(),
      (error: RemoteError) => {
        // The next request of this client is to find the new stub.
        reply.header("connection", "close");
        done(error);
      },
    );
  });
}
