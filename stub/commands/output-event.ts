// `command.output` of one command: events say that there is more and how much, not what, and not more often than this.
const OUTPUT_EVENT_MS = 100;

export class OutputEvent {
  readonly #emit: () => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(emit: () => void) {
    this.#emit = emit;
  }

  /** It is on its way: output that comes meanwhile is told with it. */
  get isDue(): boolean {
    return this.#timer !== undefined;
  }

  soon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#emit();
    }, OUTPUT_EVENT_MS).unref();
  }

  cancel(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
