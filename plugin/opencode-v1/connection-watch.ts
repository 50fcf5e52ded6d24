// A lost connection comes back by itself, for as long as it takes; a call of the model cannot wait that long. Between the
// two stands this: a call gives up when the connection has been lost for longer than it may wait. Until then the user is
// told why nothing moves.
import { RemoteError } from "../../protocol/errors.js";
import type { RunnerProgress } from "../runner/runner.js";

/** What a call waits for a lost connection, milliseconds. */
export const WAIT_FOR_CALL_MS = 20_000;
/** What a command that may run on the host already waits: its output is there when the connection is back. */
export const WAIT_FOR_COMMAND_MS = 10 * 60_000;
/** A connection that has been lost for long already is given one more try's time. */
const WAIT_AGAIN_MS = 3000;

export interface Guard {
  /** Aborted with a RemoteError `host_unreachable` as its reason. */
  signal: AbortSignal;
  /** Another limit from now on. */
  extend(limitMs: number): void;
  dispose(): void;
}

export class ConnectionWatch {
  readonly #host: string;
  readonly #listeners = new Set<() => void>();
  #lostSince: number | undefined;
  #text = "";
  #wasReady = false;
  #interrupted = false;

  constructor(host: string) {
    this.#host = host;
  }

  get lost(): boolean {
    return this.#lostSince !== undefined;
  }

  /** What the user reads while the connection, or the stub behind it, is away; it comes back by itself. */
  get notice(): string | undefined {
    return this.#interrupted ? `reconnecting to ${this.#host}…` : undefined;
  }

  /** Calls back whenever `notice` may have changed, until disposed. */
  onChange(listener: () => void): { [Symbol.dispose](): void } {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => this.#listeners.delete(listener) };
  }

  /** To be called with each progress of the connection. */
  update({ state, text }: RunnerProgress): void {
    this.#text = text;
    if (state === "ready") this.#wasReady = true;
    else if (state === "failed" || state === "idle") this.#wasReady = false;
    // A stub that has to be started again is away like a connection that has to be made again.
    this.#interrupted = state === "reconnecting" || (state === "bootstrapping" && this.#wasReady);
    if (state === "reconnecting") this.#lostSince ??= Date.now();
    else this.#lostSince = undefined;
    for (const listener of this.#listeners) listener();
  }

  guard(limitMs: number): Guard {
    const controller = new AbortController();
    let limit = limitMs;
    let timer: NodeJS.Timeout | undefined;
    const look = () => {
      if (this.#lostSince === undefined) {
        clearTimeout(timer);
        timer = undefined;
      } else if (!timer) {
        const wait = Date.now() - this.#lostSince > limit ? WAIT_AGAIN_MS : limit;
        timer = setTimeout(() => controller.abort(this.#unreachable()), wait);
      }
    };
    this.#listeners.add(look);
    look();
    return {
      signal: controller.signal,
      extend: (longer) => {
        limit = longer;
        clearTimeout(timer);
        timer = undefined;
        look();
      },
      dispose: () => {
        this.#listeners.delete(look);
        clearTimeout(timer);
      },
    };
  }

  #unreachable(): RemoteError {
    return new RemoteError("host_unreachable", `the connection to ${this.#host} is lost: ${this.#text}`, {
      hint: "it is tried again all the time; check the network, then let the model go on",
    });
  }
}
