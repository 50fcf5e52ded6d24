/** A time limit that can stand still: while people are asked a command's time does not run. */
export class TimeLimit {
  readonly #over: () => void;
  #left: number;
  #timer: NodeJS.Timeout | undefined;
  #since = 0;
  #stopped = false;

  constructor(milliseconds: number, over: () => void) {
    this.#left = milliseconds;
    this.#over = over;
    this.resume();
  }

  pause(): void {
    if (this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#left -= performance.now() - this.#since;
  }

  resume(): void {
    if (this.#timer !== undefined || this.#stopped) return;
    this.#since = performance.now();
    this.#timer = setTimeout(this.#over, Math.min(Math.max(this.#left, 0), 0x7fffffff)).unref();
  }

  /** For good. */
  stop(): void {
    this.pause();
    this.#stopped = true;
  }
}
