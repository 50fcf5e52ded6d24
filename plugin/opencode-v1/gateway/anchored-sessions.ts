// Which host a local directory stands for: one session per anchor, made when it is first asked for.
import { join, relative } from "node:path";
import { RemoteError } from "../../../protocol/errors.js";
import type { RunnerProvider, RunnerSession } from "../../runner/runner.js";
import { type AnchorRecord, findAnchor, wishOf } from "../anchor.js";
import { ConnectionWatch } from "../connection-watch.js";

/** What a request of the TUI waits for a lost connection, milliseconds. */
const WAIT_MS = 5000;

export interface AnchoredSession {
  /** Name of the host for messages. */
  host: string;
  session: RunnerSession;
  connection: ConnectionWatch;
}

export interface AnchoredSessionsOptions {
  /** `$XDG_STATE_HOME/opencode-remote-ssh`. */
  stateDir: string;
  runner: RunnerProvider;
}

export class AnchoredSessions {
  readonly #options: AnchoredSessionsOptions;
  readonly #sessions = new Map<string, Promise<AnchoredSession>>();

  constructor(options: AnchoredSessionsOptions) {
    this.#options = options;
  }

  async isAnchor(directory: string): Promise<boolean> {
    return (await findAnchor(this.#options.stateDir, directory)).kind !== "outside";
  }

  /** Undefined: not one of our directories. Throws `config_invalid` for one of ours that stands for nothing. Opens no connection. */
  async at(directory: string): Promise<AnchoredSession | undefined> {
    const { stateDir } = this.#options;
    const found = await findAnchor(stateDir, directory);
    if (found.kind === "outside") return undefined;
    if (found.kind === "broken") throw unusable(found.reason);
    const { record, inside } = found;
    if (relative(join(stateDir, "anchors"), record.anchor) !== inside) throw unusable("this is not the anchor itself");
    const known = this.#sessions.get(record.anchor) ?? this.#create(record);
    this.#sessions.set(record.anchor, known);
    known.catch(() => this.#sessions.delete(record.anchor));
    return await known;
  }

  /** Runs `work` for as long as its client, and a connection that is lost not for too long, let it. */
  async within<T>(
    { connection }: AnchoredSession,
    signal: AbortSignal,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const guard = connection.guard(WAIT_MS);
    try {
      return await work(AbortSignal.any([signal, guard.signal]));
    } catch (error) {
      throw guard.signal.aborted ? guard.signal.reason : error;
    } finally {
      guard.dispose();
    }
  }

  async close(): Promise<void> {
    const all = [...this.#sessions.values()];
    this.#sessions.clear();
    // That one could not be made was told to the request that wanted it.
    for (const { session } of (await Promise.all(all.map((each) => each.catch(() => undefined)))).filter(
      (one) => one !== undefined,
    )) {
      await session.close();
    }
  }

  async #create(record: AnchorRecord): Promise<AnchoredSession> {
    const { host, directory, workspaceID } = record;
    const connection = new ConnectionWatch(host);
    const session = await this.#options.runner.createSession(
      { host, directory, workspaceID, name: `${host}:${directory}`, ...wishOf(record) },
      { onProgress: (progress) => connection.update(progress) },
    );
    return { host, session, connection };
  }
}

function unusable(reason: string): RemoteError {
  return new RemoteError("config_invalid", reason, { hint: "open the host again: opencode-remote-ssh open HOST:PATH" });
}
