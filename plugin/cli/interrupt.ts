// Ctrl-C and SIGTERM: the first one asks for a clean end, the second leaves at once.
import type { EventEmitter } from "node:events";

const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
type Name = keyof typeof SIGNALS;

export class Interrupt {
  readonly #abort = new AbortController();
  readonly #source: EventEmitter;
  readonly #leave: (status: number) => void;
  readonly #handlers: [Name, () => void][] = [];
  #status: number | undefined;
  #first: (() => void) | undefined;

  /** `source` emits the signals (the process); `leave` ends it at once. */
  constructor(source: EventEmitter, leave: (status: number) => void) {
    this.#source = source;
    this.#leave = leave;
    for (const name of Object.keys(SIGNALS) as Name[]) {
      const handler = () => this.#on(name);
      source.on(name, handler);
      this.#handlers.push([name, handler]);
    }
  }

  /** Aborted by the first signal, unless `instead` took it. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** 130 after Ctrl-C, 143 after SIGTERM; undefined: there was none. */
  get status(): number | undefined {
    return this.#status;
  }

  /** What the first signal does instead of aborting; the second one still leaves. */
  instead(first: (() => void) | undefined): void {
    this.#first = first;
  }

  /** As if the signal had come: from a terminal that makes none. */
  raise(name: Name): void {
    this.#on(name);
  }

  dispose(): void {
    for (const [name, handler] of this.#handlers) this.#source.removeListener(name, handler);
  }

  #on(name: Name): void {
    if (this.#status !== undefined) {
      this.#leave(this.#status);
      return;
    }
    this.#status = SIGNALS[name];
    if (this.#first === undefined) this.#abort.abort();
    else this.#first();
  }
}
