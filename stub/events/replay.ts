// The last events of a stub, as bytes that are ready to be sent: what every stream is served from, live or resumed.
// Bounded by count and by bytes; the oldest go first, the newest always stays.
import { FIRST } from "./event-id.js";

export interface KeptEvent {
  /** The whole frame. */
  readonly bytes: Buffer;
  readonly workspaceID: string | undefined;
  /** The approver of its workspace when it happened. Undefined: it has none, or is not known. */
  readonly approver: string | undefined;
}

export interface ReplayLimits {
  events: number;
  bytes: number;
}

export class ReplayBuffer {
  readonly #limits: ReplayLimits;
  /** By number, modulo the limit. */
  readonly #slots: (KeptEvent | undefined)[] = [];
  #head = FIRST;
  #oldest = FIRST + 1;
  #bytes = 0;

  constructor(limits: ReplayLimits) {
    this.#limits = limits;
  }

  /** Number of the newest event; the next one is one more. */
  get head(): number {
    return this.#head;
  }

  /** Number of the oldest event that is held; `head + 1` where none is. */
  get oldest(): number {
    return this.#oldest;
  }

  /** Bytes of the frames that are held. */
  get bytes(): number {
    return this.#bytes;
  }

  /** It gets the number `head + 1`. */
  push(event: KeptEvent): void {
    if (this.#head + 1 - this.#oldest >= this.#limits.events) this.#evict();
    this.#head += 1;
    this.#slots[this.#head % this.#limits.events] = event;
    this.#bytes += event.bytes.length;
    while (this.#bytes > this.#limits.bytes && this.#oldest < this.#head) this.#evict();
  }

  /** The event of that number; undefined where it is not held. */
  get(number: number): KeptEvent | undefined {
    if (number < this.#oldest || number > this.#head) return undefined;
    return this.#slots[number % this.#limits.events];
  }

  /** Forgets all, and takes a number for what is not told from here on: every earlier position now has a gap behind it. */
  letGo(): void {
    this.#head += 1;
    this.#oldest = this.#head + 1;
    this.#slots.length = 0;
    this.#bytes = 0;
  }

  #evict(): void {
    const slot = this.#oldest % this.#limits.events;
    this.#bytes -= this.#slots[slot]?.bytes.length ?? 0;
    this.#slots[slot] = undefined;
    this.#oldest += 1;
  }
}
