// Pending questions and their answers. Ids are random and single use; the same question asked twice while it is pending is one
// ask; an answer given `once` is used up by one retry, or by everything that waited for it. All of it is on disk before anybody
// hears of it, so the next stub goes on with it: nobody is asked twice, and no answer is used twice.
import { dirname, join } from "node:path";
import { type Static, Type } from "typebox";
import { RemoteError } from "../../protocol/errors.js";
import { newID } from "../../protocol/ids.js";
import { Ask, PermissionReply, type PermissionRequired } from "../../protocol/permission.js";
import type { Access, Workspace } from "../../protocol/workspace.js";
import type { EventBus } from "../events/bus.js";
import type { JsonStore, StoreLog } from "../state/store.js";

/** Answered asks that are remembered, so that a replay is 409 and a `once` can be used. */
const ANSWERED_LIMIT = 10_000;
const PENDING_LIMIT = 10_000;

/** Answered asks on disk that nobody came back for are forgotten after this. */
const ANSWER_KEPT_MS = 60 * 60 * 1000;

const Kind = Type.Union([Type.Literal("directory"), Type.Literal("file")]);

/** One file per ask. */
export const KeptAsk = Type.Object({
  ask: Ask,
  kind: Kind,
  always: Type.Object({ path: Type.String(), kind: Kind }),
  told: Type.Boolean(),
  waited: Type.Boolean(),
  carries: Type.Array(Type.String()),
  reply: Type.Optional(PermissionReply),
});
type KeptAsk = Static<typeof KeptAsk>;

export interface Question {
  workspace: Workspace;
  sessionID: string | null;
  /** Canonical real path. */
  path: string;
  access: Access;
  kind: "directory" | "file";
  /** What `always` would approve; it is what the prompt shows. */
  always: { path: string; kind: "directory" | "file" };
  /** For people: what wants it. */
  reason: string;
}

export interface Entry {
  readonly ask: Ask;
  readonly question: Question;
  /** Requests that wait for the answer. */
  waiting: number;
  /** Some request waits for it, or did: one that comes again without the id is the same one. */
  waited: boolean;
  /** Some request was told the id and may come back with it. */
  told: boolean;
  /** Asks whose unused `once` the asking request had presented: they come along with this one. */
  carries: Set<string>;
  reply: PermissionReply | undefined;
  /** The `once` was used. */
  used: boolean;
  /** When a request last left it, or it was answered; by the clock of `AsksOptions.now`. */
  since: number;
  /** Rejects where it could not be kept: then it was never asked. */
  saved: Promise<void>;
  readonly answered: Promise<PermissionReply>;
  settle(reply: PermissionReply): void;
}

export interface AsksOptions {
  bus: EventBus;
  store: JsonStore<typeof KeptAsk>;
  workspace(id: string): Workspace | undefined;
  log: StoreLog;
  /** Milliseconds of a clock that nobody sets: the wall clock may jump. */
  now?: (() => number) | undefined;
}

export class Asks {
  readonly #options: AsksOptions;
  readonly #now: () => number;
  readonly #pending = new Map<string, Entry>();
  readonly #byQuestion = new Map<string, Entry>();
  readonly #answered = new Map<string, Entry>();
  /** Answered while the request that waited was cut off. */
  readonly #missed = new Map<string, Entry>();
  readonly #ending = new AbortController();

  constructor(options: AsksOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    for (const kept of options.store.values()) this.#adopt(kept);
  }

  /** Aborted when the stub ends: what waits is told to come again, to the next one. */
  get ending(): AbortSignal {
    return this.#ending.signal;
  }

  /** Nothing is asked or answered here any more; what is pending is the next stub's. */
  end(): void {
    this.#ending.abort();
  }

  /** The pending ask for this question, made if there is none. Throws why it could not be kept, `stub_draining`. */
  async raise(question: Question, how: "told" | "waited", carries: string[] = []): Promise<Entry> {
    if (this.ending.aborted) throw draining();
    const key = keyOf(question);
    const same = this.#byQuestion.get(key);
    if (same !== undefined) {
      await same.saved;
      await this.#note(same, how, carries);
      return same;
    }
    if (this.#pending.size >= PENDING_LIMIT) throw new RemoteError("unavailable", "too many unanswered asks");
    const entry = this.#entry(makeAsk(question), question);
    entry[how] = true;
    for (const id of carries) entry.carries.add(id);
    this.#pending.set(entry.ask.id, entry);
    this.#byQuestion.set(key, entry);
    entry.saved = this.#save(entry);
    try {
      await entry.saved;
    } catch (error) {
      this.#remove(entry);
      throw error;
    }
    this.#publish(entry, "permission.asked", entry.ask);
    return entry;
  }

  /** What was answered while the request that waited was cut off: it is told when the request comes again, once. */
  missed(question: Question): Entry | undefined {
    const key = keyOf(question);
    const entry = this.#missed.get(key);
    if (entry === undefined || entry.used || entry.waiting > 0) return undefined;
    if (entry.ask.sessionID !== question.sessionID || entry.ask.reason !== question.reason) return undefined;
    this.#missed.delete(key);
    return entry;
  }

  pending(): Ask[] {
    return [...this.#pending.values()].map((entry) => entry.ask);
  }

  /** The ask, pending or answered. */
  find(id: string): Entry | undefined {
    return this.#pending.get(id) ?? this.#answered.get(id);
  }

  /** Throws `permission_replied` when it was answered before, `permission_unknown`. */
  require(id: string): Entry {
    const entry = this.#pending.get(id);
    if (entry !== undefined) return entry;
    if (this.#answered.has(id)) throw new RemoteError("permission_replied", `${id} was answered before`);
    throw new RemoteError("permission_unknown", `no ask ${id}`);
  }

  /** Takes the ask from the pending ones at once, so that of two simultaneous replies one is a replay. */
  take(id: string): Entry {
    const entry = this.require(id);
    // The question still leads here until the answer is kept: who asks it meanwhile waits for that.
    this.#pending.delete(id);
    this.#answered.set(id, entry);
    for (const [oldest, old] of this.#answered) {
      if (this.#answered.size <= ANSWERED_LIMIT) break;
      this.#answered.delete(oldest);
      void this.#forget(old);
    }
    return entry;
  }

  /** Before anything follows from an answer. Throws why it could not be kept. */
  async keepAnswer(entry: Entry, reply: PermissionReply): Promise<void> {
    await entry.saved;
    await this.#save({ ...entry, reply });
  }

  /** Undoes `take` (the answer could not be kept): it is pending again. */
  async giveBack(entry: Entry): Promise<void> {
    this.#answered.delete(entry.ask.id);
    this.#pending.set(entry.ask.id, entry);
    await this.#save(entry).catch((error: unknown) => {
      this.#options.log.warn(
        { err: error, permissionID: entry.ask.id },
        "the next stub will not know this ask as pending",
      );
    });
  }

  /** Answers an ask that was taken. */
  settle(entry: Entry, reply: PermissionReply): void {
    this.#remove(entry);
    entry.reply = reply;
    entry.since = this.#now();
    if (entry.waiting > 0) entry.used = true;
    else if (entry.waited) this.#missed.set(keyOf(entry.question), entry);
    entry.settle(reply);
    const { sessionID, id } = entry.ask;
    this.#publish(entry, "permission.replied", { sessionID, requestID: id, reply: reply.reply });
  }

  /** Its `once` is used up, on disk first: what follows cannot be permitted by it again. Throws why it could not be. */
  async use(entry: Entry): Promise<void> {
    const before = entry.used;
    entry.used = true;
    try {
      await this.#options.store.delete(entry.ask.id);
    } catch (error) {
      entry.used = before;
      throw error;
    }
  }

  /** A request that waited has gone. */
  leave(entry: Entry): void {
    entry.waiting -= 1;
    entry.since = this.#now();
  }

  /** Answers for the user, who cannot: a request that went, a workspace that was deleted, nobody there. */
  async withdraw(entry: Entry, message: string): Promise<void> {
    if (!this.#pending.has(entry.ask.id)) return;
    this.take(entry.ask.id);
    this.settle(entry, { reply: "reject", message });
    this.#missed.delete(keyOf(entry.question));
    await this.#forget(entry);
  }

  async withdrawAll(which: (entry: Entry) => boolean, message: string): Promise<void> {
    const entries = [...this.#pending.values()].filter(which);
    await Promise.all(entries.map((entry) => this.withdraw(entry, message)));
  }

  /** Ends what only requests wanted that left `limitMs` ago, and forgets answers that nobody came back for. */
  async sweep(limitMs: number): Promise<void> {
    const now = this.#now();
    const left = (entry: Entry) => entry.waiting === 0 && !entry.told && now - entry.since >= limitMs;
    await this.withdrawAll(left, "the request did not come back");
    for (const entry of this.#answered.values()) {
      const isKept = this.#options.store.get(entry.ask.id) !== undefined;
      if (!isKept || entry.waiting > 0 || now - entry.since < ANSWER_KEPT_MS) continue;
      entry.used = true;
      this.#missed.delete(keyOf(entry.question));
      await this.#forget(entry);
    }
  }

  /** Of an earlier stub. */
  #adopt({ ask, kind, always, told, waited, carries, reply }: KeptAsk): void {
    const workspace = this.#options.workspace(ask.workspaceID);
    if (workspace === undefined) return void this.#options.store.delete(ask.id).catch(this.#warn);
    const { sessionID, path, access, reason } = ask;
    const question: Question = { workspace, sessionID, path, access, kind, always, reason };
    const entry = this.#entry(ask, question);
    Object.assign(entry, { told, waited, carries: new Set(carries) });
    if (reply === undefined) {
      this.#pending.set(ask.id, entry);
      this.#byQuestion.set(keyOf(question), entry);
      return;
    }
    entry.reply = reply;
    entry.settle(reply);
    this.#answered.set(ask.id, entry);
    if (waited) this.#missed.set(keyOf(question), entry);
  }

  #entry(ask: Ask, question: Question): Entry {
    let settle: (reply: PermissionReply) => void = () => undefined;
    const answered = new Promise<PermissionReply>((resolve) => {
      settle = resolve;
    });
    return {
      ask,
      question,
      waiting: 0,
      waited: false,
      told: false,
      carries: new Set(),
      reply: undefined,
      used: false,
      since: this.#now(),
      saved: Promise.resolve(),
      answered,
      settle,
    };
  }

  /** Another request wants the same. */
  async #note(entry: Entry, how: "told" | "waited", carries: string[]): Promise<void> {
    const known = entry[how] && carries.every((id) => entry.carries.has(id));
    entry[how] = true;
    for (const id of carries) if (id !== entry.ask.id) entry.carries.add(id);
    if (!known && this.#pending.has(entry.ask.id)) await this.#save(entry);
  }

  #save({ ask, question, told, waited, carries, reply }: Entry): Promise<void> {
    const { kind, always } = question;
    const kept: KeptAsk = { ask, kind, always, told, waited, carries: [...carries] };
    return this.#options.store.set(ask.id, reply === undefined ? kept : { ...kept, reply });
  }

  #remove(entry: Entry): void {
    this.#pending.delete(entry.ask.id);
    const key = keyOf(entry.question);
    if (this.#byQuestion.get(key) === entry) this.#byQuestion.delete(key);
  }

  /** What stays on disk is asked, or kept, once more than needed. */
  async #forget(entry: Entry): Promise<void> {
    if (this.ending.aborted) return;
    await this.#options.store.delete(entry.ask.id).catch(this.#warn);
  }

  readonly #warn = (error: unknown): void => {
    this.#options.log.warn({ err: error }, "an ask that is over stays on disk");
  };

  #publish(entry: Entry, type: string, properties: unknown): void {
    const workspaceID = entry.question.workspace.id;
    this.#options.bus.publish({ type, properties, workspaceID });
  }
}

export function draining(): RemoteError {
  return new RemoteError("stub_draining", "this stub is ending; the next one goes on with what is asked");
}

export function required(ask: Ask): PermissionRequired {
  return { permissionID: ask.id, path: ask.path, access: ask.access, reason: ask.reason };
}

function makeAsk(question: Question): Ask {
  const { path, access, always, reason, workspace, sessionID, kind } = question;
  return {
    id: newID("per"),
    sessionID,
    permission: "external_directory",
    patterns: [always.kind === "directory" ? join(always.path, "*") : always.path],
    always: [],
    metadata: { filepath: path, parentDir: kind === "directory" ? path : dirname(path) },
    workspaceID: workspace.id,
    approver: workspace.approver,
    path,
    access,
    reason,
    time: { created: Date.now() },
  };
}

function keyOf({ workspace, path, access }: Question): string {
  return `${workspace.id}\0${access}\0${path}`;
}
