// What is being done, on stderr: one line that changes on a terminal, plain lines with --verbose elsewhere, else nothing.
import type { RunnerProgress } from "../runner/runner.js";
import { printable } from "./printable.js";

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

  constructor(options: ProgressOptions) {
    this.#options = options;
  }

  readonly show = (progress: Pick<RunnerProgress, "text">): void => {
    const { write, terminal, verbose, columns } = this.#options;
    const text = printable(progress.text);
    if (text === this.#last) return;
    this.#last = text;
    if (verbose) write(`${text}\n`);
    else if (terminal) {
      write(`\r\x1b[K${text.slice(0, Math.max(1, columns - 1))}`);
      this.#shown = true;
    }
  };

  /** Before anything else is written. */
  readonly clear = (): void => {
    if (this.#shown) this.#options.write("\r\x1b[K");
    this.#shown = false;
    this.#last = "";
  };
}
