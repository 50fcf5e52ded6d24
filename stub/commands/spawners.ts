// The spawner of this stub and, should it die, the next one; and which command has which number there. Helpers outlive their
// spawner and go on reporting, so commands of an earlier one are still heard.
import { performance } from "node:perf_hooks";
import type { Frame } from "../../protocol/frames.js";
import type { RunningCommand } from "./command.js";
import type { StartRequest } from "./request.js";
import { Spawner } from "./spawner.js";

export interface SpawnersOptions {
  /** Absolute path of the helper binary. */
  helper: string;
  log: {
    warn(details: object, message: string): void;
    error(details: object, message: string): void;
  };
}

/** Started by a spawner, not settled yet. */
interface Started {
  command: RunningCommand;
  spawner: Spawner;
}

/** After a spawner's death: its helpers' reports still come, those that were never forked send none. */
const ORPHAN_MS = 1000;
/** A spawner that died sooner than this after its start is not started again at once, and each time later. */
const MIN_LIFE_MS = 1000;
const DELAY_MAX_MS = 30_000;

export class Spawners {
  readonly #options: SpawnersOptions;
  /** By the number that frames carry. */
  readonly #started = new Map<number, Started>();
  readonly #numbers = new Map<RunningCommand, number>();
  /** Undefined where the helper is damaged: each command looks again. */
  #current: Spawner | undefined;
  #nextNumber = 1;
  #quickDeaths = 0;
  #closed = false;

  constructor(options: SpawnersOptions) {
    this.#options = options;
    this.#renew();
  }

  /** Throws RemoteError `spawn_failed` where there is no spawner just now, or it would be too long; `helper_damaged`. */
  start(command: RunningCommand, request: StartRequest): void {
    const number = this.#nextNumber++;
    this.#current ??= this.#begin();
    this.#current.start(number, request);
    this.#started.set(number, { command, spawner: this.#current });
    this.#numbers.set(command, number);
  }

  /** False where its spawner is gone, or it is none of ours. */
  cancel(command: RunningCommand, reason: "abort" | "timeout"): boolean {
    const number = this.#numbers.get(command);
    const started = number === undefined ? undefined : this.#started.get(number);
    if (number === undefined || started === undefined || !started.spawner.alive) return false;
    started.spawner.cancel(number, reason);
    return true;
  }

  /** Nothing more is to be heard of it. */
  forget(command: RunningCommand): void {
    const number = this.#numbers.get(command);
    if (number === undefined) return;
    this.#numbers.delete(command);
    this.#started.delete(number);
  }

  /** Ends the spawner, not its helpers. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#current?.close();
  }

  #renew(): void {
    try {
      this.#current = this.#begin();
    } catch (error) {
      this.#current = undefined;
      this.#options.log.error({ err: error }, "no commands until the helper is whole again");
    }
  }

  /** Throws `helper_damaged`. */
  #begin(): Spawner {
    const born = performance.now();
    const spawner: Spawner = new Spawner(this.#options.helper, {
      frame: (frame) => this.#report(frame),
      exit: (reason) => {
        if (this.#closed) return;
        this.#options.log.error({ reason }, "the spawner ended; commands go on, a new one is started");
        const quick = performance.now() - born < MIN_LIFE_MS;
        this.#quickDeaths = quick ? this.#quickDeaths + 1 : 0;
        const delay = quick ? Math.min(MIN_LIFE_MS * 2 ** this.#quickDeaths, DELAY_MAX_MS) : 0;
        setTimeout(() => {
          if (!this.#closed) this.#renew();
        }, delay).unref();
        setTimeout(() => this.#lookAgain(spawner, (command) => command.isQueued), ORPHAN_MS).unref();
      },
      silent: (reason) => {
        if (this.#closed) return;
        this.#options.log.warn({ reason }, "no more reports from a spawner");
        this.#lookAgain(spawner, () => true);
      },
    });
    return spawner;
  }

  #report(frame: Frame): void {
    const started = this.#started.get(frame.id);
    if (started === undefined) return;
    try {
      started.command.report(frame);
    } catch (error) {
      // one broken report must not take the others of the same chunk with it
      this.#options.log.error({ err: error, type: frame.type }, "a report could not be used");
      started.command.lookAgain();
    }
  }

  #lookAgain(spawner: Spawner, which: (command: RunningCommand) => boolean): void {
    for (const { command, spawner: its } of [...this.#started.values()]) {
      if (its === spawner && which(command)) command.lookAgain();
    }
  }
}
