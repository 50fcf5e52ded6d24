// So many at once, the others in the order they came: hundreds of searches of one turn are no hundreds of ripgreps.
import { RemoteError } from "../../protocol/errors.js";

export class Turns {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(atOnce: number) {
    this.#free = atOnce;
  }

  /** Throws `aborted` while it waits. */
  async run<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else await this.#wait(signal);
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next();
    }
  }

  #wait(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#waiting.splice(this.#waiting.indexOf(turn), 1);
        reject(new RemoteError("aborted", "the request has ended"));
      };
      const turn = () => {
        signal.removeEventListener("abort", leave);
        resolve();
      };
      if (signal.aborted) return reject(new RemoteError("aborted", "the request has ended"));
      signal.addEventListener("abort", leave, { once: true });
      this.#waiting.push(turn);
    });
  }
}
