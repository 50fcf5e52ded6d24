// What happened, told to whoever listens: services publish; the journal of the event streams and a running shell listen.
// Without a listener publishing costs nothing.

export interface Happening {
  type: string;
  /** Must not change any more: it may be written down a moment later. */
  properties: unknown;
  /** Undefined: of no workspace, so everybody hears it. */
  workspaceID?: string | undefined;
}

export type Listener = (happening: Happening) => void;

export class EventBus {
  readonly #listeners = new Set<Listener>();

  /** Calls every listener at once; a listener must not throw. */
  publish(happening: Happening): void {
    for (const listener of this.#listeners) listener(happening);
  }

  subscribe(listener: Listener): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  get size(): number {
    return this.#listeners.size;
  }
}
