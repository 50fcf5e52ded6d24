// One anchor's host, as the tools see it: the runner's session, made when first used, and what is known of the host.
import { RemoteError } from "../../protocol/errors.js";
import type { InFlightJournal } from "../laptop/in-flight.js";
import type { Seen } from "../runner/enforcement-text.js";
import type { HostFacts, RunnerProvider, RunnerSession } from "../runner/runner.js";
import { type AnchorRecord, wishOf } from "./anchor.js";
import { Asks } from "./asks.js";
import { AwayCommands } from "./away.js";
import { ConnectionWatch } from "./connection-watch.js";
import { EnforcementNotice } from "./enforcement-notice.js";
import { type LiveOutput, liveOutput } from "./live-output.js";
import type { CallContext, OpencodeClient } from "./opencode-types.js";
import { PathLocks } from "./path-locks.js";
import { ReadCache } from "./read-cache.js";
import type { SavedOutput } from "./saved-output.js";
import type { OutputLimits } from "./tools/descriptions.js";
import type { ToolHost } from "./tools/tool-host.js";
import { ChangeOwners } from "./undo/change-owners.js";
import { Reverts } from "./undo/reverts.js";

export interface AnchoredHostOptions {
  /** Undefined: the anchor is broken, and `reason` says why. */
  record?: AnchorRecord;
  reason?: string;
  /** Local directory that OpenCode works in. */
  anchor: string;
  /** Throws where the configuration is wrong; called at the first use. */
  runner(): Promise<RunnerProvider>;
  client: OpencodeClient;
  saved: SavedOutput;
  journal: InFlightJournal;
  limits(): OutputLimits;
  /** As `EnforcementNoticeOptions.seen`. */
  seen(host: string, enforcement: Seen): Promise<Seen | undefined>;
}

/** How long a model's turn waits for news of a host that was known before, milliseconds. */
const REFRESH_MS = 5000;

export class AnchoredHost implements ToolHost {
  readonly name: string;
  readonly anchor: string;
  readonly asks: Asks;
  readonly owners = new ChangeOwners();
  readonly reverts: Reverts;
  readonly connection: ConnectionWatch;
  readonly cache = new ReadCache();
  readonly locks = new PathLocks();
  readonly truncated = new Set<string>();
  readonly saved: SavedOutput;
  readonly journal: InFlightJournal;
  readonly away: AwayCommands;
  readonly enforcement: EnforcementNotice;
  readonly #options: AnchoredHostOptions;
  #session: Promise<RunnerSession> | undefined;
  #facts: HostFacts | undefined;

  constructor(options: AnchoredHostOptions) {
    this.#options = options;
    this.name = options.record?.host ?? "of this anchor";
    this.anchor = options.record?.anchor ?? options.anchor;
    this.asks = new Asks(this.name);
    this.connection = new ConnectionWatch(this.name);
    this.reverts = new Reverts({
      host: this.name,
      directory: () => this.#facts?.directory ?? this.directory,
      session: () => this.session(),
      client: options.client,
      anchor: this.anchor,
      forgetFile: (sessionID, path) => this.cache.delete(sessionID, path),
    });
    const { saved, journal } = options;
    this.saved = saved;
    this.journal = journal;
    this.away = new AwayCommands({ host: this.name, journal, saved });
    const seen = (enforcement: Seen) => options.seen(this.name, enforcement);
    this.enforcement = new EnforcementNotice({ host: this.name, client: options.client, anchor: this.anchor, seen });
  }

  /** As the user named it. */
  get directory(): string {
    return this.#options.record?.directory ?? "unknown";
  }

  get known(): HostFacts | undefined {
    return this.#facts;
  }

  limits(): OutputLimits {
    return this.#options.limits();
  }

  session(): Promise<RunnerSession> {
    this.#session ??= this.#create().catch((error: unknown) => {
      this.#session = undefined;
      throw error;
    });
    return this.#session;
  }

  async facts(signal?: AbortSignal): Promise<HostFacts> {
    return this.#facts ?? (await this.#describe(signal));
  }

  /** News of the host; where it does not answer in time, what was known before. Throws where nothing was. */
  async refresh(): Promise<HostFacts> {
    if (!this.#facts) return await this.#describe();
    const before = this.#facts;
    // Why it does not answer is told by the first tool that needs it.
    return await this.#describe(AbortSignal.timeout(REFRESH_MS)).catch(() => before);
  }

  live(context: CallContext): LiveOutput {
    return liveOutput(this.#options.client, context);
  }

  async close(): Promise<void> {
    this.reverts.close();
    // That it could not be made was told to the tool that wanted it.
    const session = await this.#session?.catch(() => undefined);
    await session?.close();
  }

  async #describe(signal?: AbortSignal): Promise<HostFacts> {
    const session = await this.session();
    this.#facts = await session.describe(signal);
    return this.#facts;
  }

  async #create(): Promise<RunnerSession> {
    const { record, reason } = this.#options;
    if (!record) {
      throw new RemoteError("config_invalid", reason ?? "the anchor cannot be read", {
        hint: "open the host again: opencode-remote-ssh open HOST:PATH",
      });
    }
    const runner = await this.#options.runner();
    const { host, directory, workspaceID } = record;
    const destination = { host, directory, workspaceID, name: `${host}:${directory}`, ...wishOf(record) };
    return await runner.createSession(destination, { onProgress: (progress) => this.connection.update(progress) });
  }
}
