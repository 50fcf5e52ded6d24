// A connection that is lost under a command is said on stderr, once it lasts: whoever looks at a log, or at `!cmd` in
// OpenCode, is to know why nothing moves. A terminal and --verbose have the progress line for it already.
import type { RunnerProgress } from "../runner/runner.js";
import { printable } from "./printable.js";

/** A blip is not told, milliseconds. */
const BLIP_MS = 1000;

export class LostNotice {
  readonly #host: string;
  readonly #tell: (line: string) => void;
  #wasReady = false;
  #timer: NodeJS.Timeout | undefined;
  #told = false;

  constructor(host: string, tell: (line: string) => void) {
    this.#host = printable(host);
    this.#tell = tell;
  }

  /** To be called with each progress of the connection. */
  readonly update = ({ state }: RunnerProgress): void => {
    const isAway = state === "reconnecting" || (state === "bootstrapping" && this.#wasReady);
    if (state === "ready") this.#wasReady = true;
    if (isAway && !this.#told) {
      this.#timer ??= setTimeout(() => {
        this.#told = true;
        this.#tell(`reconnecting to ${this.#host}…\n`);
      }, BLIP_MS);
    } else if (!isAway) {
      this[Symbol.dispose]();
      if (this.#told && state === "ready") this.#tell(`connected to ${this.#host} again\n`);
      this.#told = false;
    }
  };

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
