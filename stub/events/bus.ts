// What happened, told to whoever listens: services publish, the event stream of each client subscribes.
import type { EventFrame } from "../../protocol/event.js";
import { newID } from "../../protocol/ids.js";

export interface Happening {
  type: string;
  properties: unknown;
  /** Undefined: of no workspace, so everybody hears it. */
  workspaceID?: string | undefined;
  directory?: string | undefined;
}

export type Listener = (frame: EventFrame) => void;

export class EventBus {
  readonly #listeners = new Set<Listener>();

  /** Calls every listener at once; a listener must not throw. */
  publish(happening: Happening): void {
    if (this.#listeners.size === 0) return;
    const frame: EventFrame = {
      ...(happening.directory === undefined ? {} : { directory: happening.directory }),
      ...(happening.workspaceID === undefined ? {} : { workspace: happening.workspaceID }),
      payload: { id: newID("evt"), type: happening.type, properties: happening.properties },
    };
    for (const listener of this.#listeners) listener(frame);
  }

  subscribe(listener: Listener): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  get size(): number {
    return this.#listeners.size;
  }
}
