// /undo and /redo. OpenCode says by `session.updated` where a session stands reverted to (`info.revert`), and tells nothing else; the
// host is brought there. Without `revert` it is a redo, but behind `message.removed` the session has gone on from there.
import type { Reverted, RunnerSession } from "../../runner/runner.js";
import type { LooseEvent, OpencodeClient } from "../opencode-types.js";
import { revertText } from "./revert-text.js";
import { commandOf, type RevertPoint, revertedParts, type StoredMessage } from "./reverted-parts.js";

/** How long the host is waited for, milliseconds. */
const LIMIT_MS = 20_000;
/** Sessions whose point is remembered; the oldest go first. */
const SESSIONS = 1000;
/** Ids in one request: they are in its URL. */
const IDS = 400;
const TOAST_MS = 15_000;

export interface RevertsOptions {
  host: string;
  /** As the user named it. */
  directory(): string;
  session(): Promise<RunnerSession>;
  client: OpencodeClient;
  /** Local path that OpenCode works in. */
  anchor: string;
  /** What was read of this file is not what is there. */
  forgetFile(sessionID: string, path: string): void;
}

interface SessionInfo {
  id: string;
  revert?: RevertPoint;
  time?: { created?: number };
}

export class Reverts {
  readonly #options: RevertsOptions;
  readonly #since = Date.now();
  /** The point that each session was last seen at; null: none. */
  readonly #points = new Map<string, string | null>();
  /** Messages that went since, and whether parts did. */
  readonly #removed = new Map<string, Set<string>>();
  /** One after the other in each session. */
  readonly #queues = new Map<string, Promise<void>>();
  readonly #closed = new AbortController();

  constructor(options: RevertsOptions) {
    this.#options = options;
  }

  /** To be called with every event. */
  handle({ type, properties }: LooseEvent): void {
    if (type === "session.updated") this.#updated(properties.info as SessionInfo);
    else if (type === "session.deleted") this.#deleted((properties.info as SessionInfo).id);
    else if (type === "message.removed" || type === "message.part.removed") {
      const id = String(properties.sessionID);
      const removed = this.#removed.get(id) ?? new Set();
      if (type === "message.removed") removed.add(String(properties.messageID));
      this.#removed.set(id, removed);
    }
  }

  /** What is under way is ended, and not waited for: OpenCode may be waiting for us. */
  close(): void {
    this.#closed.abort();
  }

  #updated(info: SessionInfo): void {
    const { id, revert, time } = info;
    const point = revert === undefined ? null : `${revert.messageID} ${revert.partID ?? ""}`;
    const before = this.#points.get(id);
    this.#remember(id, point);
    if (revert !== undefined) {
      this.#removed.delete(id);
      if (point !== before) this.#queue(id, () => this.#undo(id, revert, before === undefined));
      return;
    }
    const removed = this.#removed.get(id);
    this.#removed.delete(id);
    if (removed !== undefined) this.#queue(id, () => this.#forget(id, before !== null, [...removed]));
    else if (before !== null) {
      // Seen for the first time: it may have stood reverted when OpenCode ended, if it was there then.
      const isNew = before === undefined && (time?.created ?? 0) >= this.#since;
      if (!isNew) this.#queue(id, () => this.#redo(id, before === undefined));
    }
  }

  #deleted(id: string): void {
    this.#points.delete(id);
    this.#removed.delete(id);
    this.#queue(id, () => this.#forget(id, false, undefined));
  }

  async #undo(id: string, { messageID, partID }: RevertPoint, isQuiet: boolean): Promise<void> {
    try {
      const session = await this.#options.session();
      const { callIDs, commands } = await this.#reverted(id, { messageID, partID });
      const reverted = await session.revert(id, { messageID, ...(callIDs && { callIDs }) }, this.#signal());
      this.#tell(id, reverted, commands, { isUndo: true, isQuiet });
    } catch (error) {
      this.#failed(error, "put back", isQuiet);
    }
  }

  async #redo(id: string, isQuiet: boolean): Promise<void> {
    try {
      const session = await this.#options.session();
      this.#tell(id, await session.revert(id, null, this.#signal()), [], { isUndo: false, isQuiet });
    } catch (error) {
      this.#failed(error, "made again", isQuiet);
    }
  }

  /** `messageIDs` undefined: all of the session. */
  async #forget(id: string, reverted: boolean, messageIDs: string[] | undefined): Promise<void> {
    const session = await this.#options.session();
    if (messageIDs === undefined) return await session.forgetChanges(id, { all: true }, this.#signal());
    if (reverted) await session.forgetChanges(id, { reverted }, this.#signal());
    for (let at = 0; at < messageIDs.length; at += IDS) {
      await session.forgetChanges(id, { messageIDs: messageIDs.slice(at, at + IDS) }, this.#signal());
    }
  }

  /** The commands of subagents are among the others'. */
  async #reverted(id: string, point: RevertPoint) {
    const { callIDs, commands, subagents } = revertedParts(await this.#messages(id), point);
    for (const subagent of new Set(subagents)) {
      const parts = (await this.#messages(subagent)).flatMap((message) => message.parts);
      commands.push(...parts.flatMap(commandOf));
    }
    return { callIDs, commands };
  }

  async #messages(id: string): Promise<StoredMessage[]> {
    const query = { directory: this.#options.anchor };
    const { data } = await this.#options.client.session.messages({ path: { id }, query });
    return (data ?? []) as StoredMessage[];
  }

  #tell(id: string, reverted: Reverted, commands: string[], how: { isUndo: boolean; isQuiet: boolean }): void {
    const { host, directory, forgetFile } = this.#options;
    for (const { path } of [...reverted.changed, ...reverted.left]) forgetFile(id, path);
    // Seen for the first time after a start: most likely it was told before.
    if (how.isQuiet && reverted.changed.length === 0) return;
    const news = revertText({ isUndo: how.isUndo, host, directory: directory(), reverted, commands });
    if (news !== undefined) this.#show(news.text, news.isWarning ? "warning" : "info");
  }

  #failed(error: unknown, what: string, isQuiet: boolean): void {
    if (this.#closed.signal.aborted || isQuiet) return;
    const { host } = this.#options;
    const again = what === "put back" ? "/redo, then /undo" : "/undo, then /redo";
    const text = `Nothing is sure to be ${what} on ${host}: ${(error as Error).message}. Once it answers: ${again}.`;
    this.#show(text, "error");
  }

  #show(message: string, variant: "info" | "warning" | "error"): void {
    const { client, anchor } = this.#options;
    const body = { title: "opencode-remote-ssh", message, variant, duration: TOAST_MS };
    // where nobody looks at a TUI there is nobody to show it to
    client.tui.showToast({ body, query: { directory: anchor } }).catch(ignore);
  }

  #signal(): AbortSignal {
    return AbortSignal.any([this.#closed.signal, AbortSignal.timeout(LIMIT_MS)]);
  }

  #queue(id: string, work: () => Promise<void>): void {
    const before = this.#queues.get(id) ?? Promise.resolve();
    // What is not forgotten goes with the session, or when room is wanted.
    const mine = before.then(work).catch(ignore);
    this.#queues.set(id, mine);
    void mine.then(() => {
      if (this.#queues.get(id) === mine) this.#queues.delete(id);
    });
  }

  #remember(id: string, point: string | null): void {
    this.#points.delete(id);
    this.#points.set(id, point);
    for (const oldest of this.#points.keys()) {
      if (this.#points.size <= SESSIONS) break;
      this.#points.delete(oldest);
    }
  }
}

function ignore(): void {
  // Nobody waits for it.
}
