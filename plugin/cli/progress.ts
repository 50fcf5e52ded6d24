// What is being done, on stderr: one line that changes on a terminal, plain lines with --verbose elsewhere, else nothing.
import type { RunnerProgress } from "../runner/runner.js";
import { printable } from "./printable.js";

/** Between two lines that differ only in figures, milliseconds. */
const COUNT_PAUSE_MS = 1000;

export interface ProgressOptions {
  write: (text: string) => void;
  terminal: boolean;
  verbose: boolean;
  /** Of the terminal. */
  columns: number;
}

export class Progress {
  readonly #options: ProgressOptions;
  #shown = false;
  #last = "";
  #since = 0;
  /** A question is on the terminal. */
  #held = 0;
  #missed: string | undefined;

  constructor(options: ProgressOptions) {
    this.#options = options;
  }

  /** Whether anyone sees what is shown. */
  get visible(): boolean {
    return this.#options.terminal || this.#options.verbose;
  }

  readonly show = (progress: Pick<RunnerProgress, "text">): void => {
    const { write, terminal, verbose, columns } = this.#options;
    const text = printable(progress.text);
    if (this.#held > 0) {
      this.#missed = text;
      return;
    }
    if (text === this.#last) return;
    if (verbose) {
      // Of a figure that counts up, a line now and then is enough.
      const isCount = withoutFigures(text) === withoutFigures(this.#last);
      if (isCount && performance.now() - this.#since < COUNT_PAUSE_MS) return;
      write(`${text}\n`);
    } else if (terminal) {
      write(`\r\x1b[K${text.slice(0, Math.max(1, columns - 1))}`);
      this.#shown = true;
    }
    this.#last = text;
    this.#since = performance.now();
  };

  /** While a question is on the terminal nothing is written over it; with --verbose the last of what was to be shown comes then. */
  readonly hold = (): Disposable => {
    this.clear();
    this.#held += 1;
    return {
      [Symbol.dispose]: () => {
        this.#held -= 1;
        const text = this.#missed;
        if (this.#held > 0) return;
        this.#missed = undefined;
        if (text !== undefined && this.#options.verbose) this.show({ text });
      },
    };
  };

  /** Before anything else is written. */
  readonly clear = (): void => {
    if (this.#shown) this.#options.write("\r\x1b[K");
    this.#shown = false;
    this.#last = "";
  };
}

function withoutFigures(text: string): string {
  return text.replace(/\d+/g, "");
}
