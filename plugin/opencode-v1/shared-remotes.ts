// OpenCode starts the plugin once per directory; the connection to a host is one per process all the same.
import type { Remote } from "../compose.js";

/** What the plugin needs of the composition root. */
export type PluginRemote = Pick<
  Remote,
  "runner" | "hosts" | "resolve" | "workspaceID" | "lastDirectory" | "rememberDirectory" | "enforcementSeen" | "close"
>;

export interface RemoteLease {
  /** Made at the first use, so that wrong options fail the calls that need them and not OpenCode's start. */
  get(): Promise<PluginRemote>;
  /** Idempotent. The last one closes the connections. */
  close(): Promise<void>;
}

interface Shared {
  remote: PluginRemote;
  users: number;
}

export class SharedRemotes {
  readonly #create: (options: unknown) => PluginRemote;
  readonly #shared = new Map<string, Shared>();

  constructor(create: (options: unknown) => PluginRemote) {
    this.#create = create;
  }

  /** Equal options lead to the same connections. */
  lease(options: unknown): RemoteLease {
    const key = JSON.stringify(options ?? null);
    let mine: Shared | undefined;
    let closed = false;
    return {
      get: async () => {
        if (mine) return mine.remote;
        const shared = this.#shared.get(key) ?? { remote: this.#create(options), users: 0 };
        this.#shared.set(key, shared);
        shared.users++;
        mine = shared;
        return shared.remote;
      },
      close: async () => {
        if (closed || !mine) return;
        closed = true;
        mine.users--;
        if (mine.users > 0) return;
        if (this.#shared.get(key) === mine) this.#shared.delete(key);
        await mine.remote.close();
      },
    };
  }
}
