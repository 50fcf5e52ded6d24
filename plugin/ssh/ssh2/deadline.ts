// A time limit that stands still while a person types.

export class Deadline {
  readonly #expired: () => void;
  #left: number;
  #since = 0;
  #timer: NodeJS.Timeout | undefined;
  #over = false;

  constructor(milliseconds: number, expired: () => void) {
    this.#left = milliseconds;
    this.#expired = expired;
    this.resume();
  }

  pause(): void {
    if (this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#left -= performance.now() - this.#since;
  }

  resume(): void {
    this.pause();
    if (this.#over) return;
    this.#since = performance.now();
    this.#timer = setTimeout(this.#expired, Math.max(1, this.#left));
  }

  [Symbol.dispose](): void {
    this.#over = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
