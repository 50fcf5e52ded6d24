// Ids of frames: which stub, behind which event, and what came there. `Last-Event-ID` says from them where a client was.
import { randomBytes } from "node:crypto";

/** What makes the ids of one stub its own. */
export interface Instance {
  /** Milliseconds since the epoch. */
  startedAt: number;
  instanceID: string;
}

/** Nowhere: a client that was told nothing yet of this stub. Events have the numbers behind `FIRST`. */
const NOWHERE = 0;
/** Where a stub begins that has not told of anything. */
export const FIRST = 1;

const TIME = 9;
const TAG = 4;
const NUMBER = 7;
const CONTROL = 6;
const FORMAT = new RegExp(`^evt_[0-9a-z]{${TIME + TAG + NUMBER + CONTROL}}$`);

/**
 * `evt_`, 9 digits of the stub's start, 4 of its instance, 7 of the event's number, 6 of the control frame that stands behind it
 * (0: the event itself). In base 36: ids of one stub compare as text. As long as OpenCode's.
 */
export class EventIDs {
  readonly #prefix: string;
  #controls = 0;

  constructor(
    { startedAt, instanceID }: Instance = { startedAt: Date.now(), instanceID: randomBytes(8).toString("hex") },
  ) {
    this.#prefix = `evt_${digits(startedAt, TIME)}${instanceID.slice(0, TAG).toLowerCase().padStart(TAG, "0")}`;
  }

  event(number: number): string {
    return this.#prefix + digits(number, NUMBER) + digits(0, CONTROL);
  }

  /** Of a frame that is no event (a heartbeat): whoever resumes behind it resumes behind event `number`. */
  control(number: number): string {
    this.#controls += 1;
    return this.#prefix + digits(number, NUMBER) + digits(this.#controls, CONTROL);
  }

  /** Of a frame that comes before a client was told where it stands. */
  nowhere(): string {
    return this.control(NOWHERE);
  }

  /** The number of the event behind which this id stands; undefined: of another stub, of none, or nowhere. */
  position(id: string): number | undefined {
    if (!isEventID(id) || !id.startsWith(this.#prefix)) return undefined;
    const from = this.#prefix.length;
    const number = Number.parseInt(id.slice(from, from + NUMBER), 36);
    return number === NOWHERE ? undefined : number;
  }
}

/** True for what some stub may have said. */
export function isEventID(text: string): boolean {
  return FORMAT.test(text);
}

function digits(value: number, length: number): string {
  return (value % 36 ** length).toString(36).padStart(length, "0");
}
