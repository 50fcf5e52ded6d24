// Events between the services that publish them and the streams that send them: numbered, written once for all streams, kept
// for those who come back. Publishing only queues: the writing waits until the work of the moment (a command's answer) is out.
import type { EventFrame } from "../../protocol/event.js";
import type { Happening } from "./bus.js";
import { EventIDs, type Instance } from "./event-id.js";
import { ReplayBuffer, type ReplayLimits } from "./replay.js";

/** What is written at one go, of what is kept: then the streams are served, so that a burst does not run away from those who read. */
const PORTION = 1 / 4;
/** OpenCode's name for a directory that is in no project of its own: all of ours. */
const PROJECT = "global";
/** More events than this are not left waiting, whatever it takes. */
const QUEUE_LIMIT = 32 * 1024;

interface Place {
  approver: string;
  directory: string | null;
}

export interface JournalOptions {
  instance?: Instance | undefined;
  limits: ReplayLimits;
  /** Whose and where a workspace is; asked when something happens, because it may be gone when it is told. */
  workspaceOf(workspaceID: string): Place | undefined;
  /** The text of a frame, as it is sent. */
  write(id: string, frame: EventFrame): string;
  /** There is more to send. */
  onGrown(): void;
}

interface Queued {
  happening: Happening;
  workspace: Place | undefined;
}

export class EventJournal {
  readonly ids: EventIDs;
  readonly #options: JournalOptions;
  /** What is written so far. */
  readonly events: ReplayBuffer;
  #queue: Queued[] = [];
  #scheduled = false;

  constructor(options: JournalOptions) {
    this.#options = options;
    this.ids = new EventIDs(options.instance);
    this.events = new ReplayBuffer(options.limits);
  }

  readonly add = (happening: Happening): void => {
    const { workspaceID } = happening;
    const workspace = workspaceID === undefined ? undefined : this.#options.workspaceOf(workspaceID);
    this.#queue.push({ happening, workspace });
    this.#schedule();
  };

  /** Writes all that has been published so far. */
  catchUp(): void {
    this.#write({ events: Number.POSITIVE_INFINITY, bytes: Number.POSITIVE_INFINITY });
  }

  /** A frame that is no event: it is sent once and not kept. */
  control(id: string, type: string, properties: object): Buffer {
    return Buffer.from(this.#options.write(id, { payload: { id, type, properties } }));
  }

  /** Forgets everything; whoever was here before is told of a gap. */
  letGo(): void {
    this.#queue = [];
    this.events.letGo();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    const { limits } = this.#options;
    setImmediate(() => {
      this.#scheduled = false;
      if (this.#queue.length > QUEUE_LIMIT) this.catchUp();
      else this.#write({ events: limits.events * PORTION, bytes: limits.bytes * PORTION });
      if (this.#queue.length > 0) this.#schedule();
      this.#options.onGrown();
    });
  }

  #write(most: ReplayLimits): void {
    let written = 0;
    let bytes = 0;
    for (const queued of this.#queue) {
      if (written >= most.events || bytes >= most.bytes) break;
      bytes += this.#keep(queued);
      written += 1;
    }
    this.#queue.splice(0, written);
  }

  /** Its size in bytes. */
  #keep({ happening, workspace }: Queued): number {
    const { type, properties, workspaceID } = happening;
    const directory = workspace?.directory ?? undefined;
    const id = this.ids.event(this.events.head + 1);
    const frame: EventFrame = {
      ...(directory === undefined ? {} : { directory, project: PROJECT }),
      ...(workspaceID === undefined ? {} : { workspace: workspaceID }),
      payload: { id, type, properties },
    };
    const bytes = Buffer.from(this.#options.write(id, frame));
    this.events.push({ bytes, workspaceID, approver: workspace?.approver });
    return bytes.length;
  }
}
