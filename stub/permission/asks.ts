// Pending questions and their answers. Ids are random and single use; the same question asked twice while it is pending is one
// ask; an answer given `once` is used up by one retry, or by everything that waited for it. All of it is on disk
// (asks-on-disk.ts) before anybody hears of it.
import { RemoteError } from "../../protocol/errors.js";
import type { Ask, PermissionReply } from "../../protocol/permission.js";
import type { Workspace } from "../../protocol/workspace.js";
import type { EventBus } from "../events/bus.js";
import { type AuditLog, auditOf } from "../state/audit.js";
import type { JsonStore, StoreLog } from "../state/store.js";
import { AsksOnDisk, type KeptAsk } from "./asks-on-disk.js";
import { type Entry, keyOf, makeAsk, newEntry, type Question } from "./question.js";

/** Answered asks that are remembered, so that a replay is 409 and a `once` can be used. */
const ANSWERED_LIMIT = 10_000;
const PENDING_LIMIT = 10_000;

/** Answered asks that nobody came back for are forgotten after this. */
const ANSWER_KEPT_MS = 60 * 60 * 1000;

export interface AsksOptions {
  bus: EventBus;
  store: JsonStore<typeof KeptAsk>;
  audit: Pick<AuditLog, "write">;
  workspace(id: string): Workspace | undefined;
  log: StoreLog;
  /** Milliseconds of a clock that nobody sets: the wall clock may jump. */
  now?: (() => number) | undefined;
}

export interface RaiseOptions {
  carries?: string[];
  /** Of an ask that a helper holds; used unless the same question is pending. */
  id?: string;
}

export class Asks {
  readonly #bus: EventBus;
  readonly #disk: AsksOnDisk;
  readonly #audit: Pick<AuditLog, "write">;
  readonly #log: StoreLog;
  readonly #now: () => number;
  readonly #pending = new Map<string, Entry>();
  readonly #byQuestion = new Map<string, Entry>();
  readonly #answered = new Map<string, Entry>();
  /** Answered while the request that waited was cut off. */
  readonly #missed = new Map<string, Entry>();
  readonly #ending = new AbortController();

  constructor(options: AsksOptions) {
    this.#bus = options.bus;
    this.#audit = options.audit;
    this.#log = options.log;
    this.#now = options.now ?? (() => performance.now());
    this.#disk = new AsksOnDisk(options);
    for (const entry of this.#disk.load(this.#now())) this.#adopt(entry);
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
  async raise(question: Question, how: "told" | "waited", { carries = [], id }: RaiseOptions = {}): Promise<Entry> {
    if (this.ending.aborted) throw draining();
    const key = keyOf(question);
    const same = this.#byQuestion.get(key);
    if (same !== undefined) {
      await same.saved;
      await this.#note(same, how, carries);
      return same;
    }
    if (this.#pending.size >= PENDING_LIMIT) throw new RemoteError("unavailable", "too many unanswered asks");
    const entry = newEntry(makeAsk(question, id), question, this.#now());
    entry[how] = true;
    for (const id of carries) entry.carries.add(id);
    this.#pending.set(entry.ask.id, entry);
    this.#byQuestion.set(key, entry);
    entry.saved = this.#disk.save(entry);
    try {
      await entry.saved;
      this.#audit.write({ event: "ask", ...auditOf(entry.ask), reason: question.reason });
    } catch (error) {
      this.#remove(entry);
      await this.#disk.forget(entry);
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

  isPending(entry: Entry): boolean {
    return this.#pending.has(entry.ask.id);
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
    await this.#disk.save({ ...entry, reply });
  }

  /** Undoes `take` (the answer could not be kept): it is pending again. */
  async giveBack(entry: Entry): Promise<void> {
    this.#answered.delete(entry.ask.id);
    this.#pending.set(entry.ask.id, entry);
    await this.#disk.savePending(entry);
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
      await this.#disk.delete(entry);
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
    entry.withdrawn = true;
    this.#noteWithdrawn(entry, message);
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
      if (!this.#disk.has(entry) || entry.waiting > 0 || now - entry.since < ANSWER_KEPT_MS) continue;
      entry.used = true;
      this.#missed.delete(keyOf(entry.question));
      await this.#forget(entry);
    }
  }

  /** Of an earlier stub. */
  #adopt(entry: Entry): void {
    if (entry.reply === undefined) {
      this.#pending.set(entry.ask.id, entry);
      this.#byQuestion.set(keyOf(entry.question), entry);
      return;
    }
    this.#answered.set(entry.ask.id, entry);
    if (entry.waited) this.#missed.set(keyOf(entry.question), entry);
  }

  /** Another request wants the same. */
  async #note(entry: Entry, how: "told" | "waited", carries: string[]): Promise<void> {
    const known = entry[how] && carries.every((id) => entry.carries.has(id));
    entry[how] = true;
    for (const id of carries) if (id !== entry.ask.id) entry.carries.add(id);
    if (!known && this.#pending.has(entry.ask.id)) await this.#disk.save(entry);
  }

  /** Nobody is waited for: where the audit log takes nothing (a full disk), the stub's log has it. */
  #noteWithdrawn({ ask }: Entry, message: string): void {
    try {
      this.#audit.write({ event: "reply", ...auditOf(ask), decision: "withdrawn", message });
    } catch (error) {
      this.#log.warn({ err: error, permissionID: ask.id }, "the end of an ask is missing in the audit log");
    }
  }

  #remove(entry: Entry): void {
    this.#pending.delete(entry.ask.id);
    const key = keyOf(entry.question);
    if (this.#byQuestion.get(key) === entry) this.#byQuestion.delete(key);
  }

  /** For the next stub, what a stub that ends leaves is as it was. */
  async #forget(entry: Entry): Promise<void> {
    if (!this.ending.aborted) await this.#disk.forget(entry);
  }

  #publish(entry: Entry, type: string, properties: unknown): void {
    const workspaceID = entry.question.workspace.id;
    this.#bus.publish({ type, properties, workspaceID });
  }
}

export function draining(): RemoteError {
  return new RemoteError("stub_draining", "this stub is ending; the next one goes on with what is asked");
}
