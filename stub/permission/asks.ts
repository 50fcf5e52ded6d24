// Pending questions and their answers. Ids are random and single use; the same question asked twice while it is pending is one
// ask; an answer given `once` is used up by one retry, or by everything that waited for it.
import { dirname, join } from "node:path";
import type { ApproverAnswer } from "../../protocol/approver.js";
import { RemoteError } from "../../protocol/errors.js";
import { newID } from "../../protocol/ids.js";
import type { Ask, PermissionReply, PermissionRequired } from "../../protocol/permission.js";
import type { Access, Workspace } from "../../protocol/workspace.js";
import type { EventBus } from "../events/bus.js";

/** Answered asks that are remembered, so that a replay is 409 and a `once` can be used. */
const ANSWERED_LIMIT = 10_000;
const PENDING_LIMIT = 10_000;

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
  /** Requests that wait for the answer; an ask that only waiting requests want ends with the last of them. */
  waiting: number;
  /** Some request was told the id and may come back with it. */
  told: boolean;
  /** Asks whose unused `once` the asking request had presented: they come along with this one. */
  carries: Set<string>;
  reply: PermissionReply | undefined;
  /** The `once` was used. */
  used: boolean;
  readonly answered: Promise<PermissionReply>;
  settle(reply: PermissionReply): void;
}

export class Asks {
  readonly #bus: EventBus;
  readonly #pending = new Map<string, Entry>();
  readonly #byQuestion = new Map<string, Entry>();
  readonly #answered = new Map<string, Entry>();

  constructor(bus: EventBus) {
    this.#bus = bus;
  }

  /** The pending ask for this question, made if there is none. */
  raise(question: Question): Entry {
    const key = keyOf(question);
    const same = this.#byQuestion.get(key);
    if (same !== undefined) return same;
    if (this.#pending.size >= PENDING_LIMIT) throw new RemoteError("unavailable", "too many unanswered asks");
    const entry = makeEntry(question);
    this.#pending.set(entry.ask.id, entry);
    this.#byQuestion.set(key, entry);
    this.#publish(entry, "permission.asked", entry.ask);
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
    this.#pending.delete(id);
    this.#byQuestion.delete(keyOf(entry.question));
    this.#answered.set(id, entry);
    for (const oldest of this.#answered.keys()) {
      if (this.#answered.size <= ANSWERED_LIMIT) break;
      this.#answered.delete(oldest);
    }
    return entry;
  }

  /** Undoes `take` (the answer could not be kept): it is pending again. */
  giveBack(entry: Entry): void {
    this.#answered.delete(entry.ask.id);
    this.#pending.set(entry.ask.id, entry);
    this.#byQuestion.set(keyOf(entry.question), entry);
  }

  /** Answers an ask that was taken. */
  settle(entry: Entry, reply: PermissionReply): void {
    entry.reply = reply;
    if (entry.waiting > 0) entry.used = true;
    entry.settle(reply);
    const { sessionID, id } = entry.ask;
    this.#publish(entry, "permission.replied", { sessionID, requestID: id, reply: reply.reply });
  }

  /** Answers for the user, who cannot: a request that went, a workspace that was deleted, nobody there. */
  withdraw(entry: Entry, message: string): void {
    if (!this.#pending.has(entry.ask.id)) return;
    this.take(entry.ask.id);
    this.settle(entry, { reply: "reject", message });
  }

  withdrawAll(which: (entry: Entry) => boolean, message: string): void {
    for (const entry of [...this.#pending.values()]) if (which(entry)) this.withdraw(entry, message);
  }

  #publish(entry: Entry, type: string, properties: unknown): void {
    this.#bus.publish({ type, properties, workspaceID: entry.question.workspace.id });
  }
}

export function required(ask: Ask): PermissionRequired {
  return { permissionID: ask.id, path: ask.path, access: ask.access, reason: ask.reason };
}

function makeEntry(question: Question): Entry {
  const { path, access, always, reason, workspace, sessionID, kind } = question;
  let settle: (reply: PermissionReply) => void = () => undefined;
  const answered = new Promise<PermissionReply>((resolve) => {
    settle = resolve;
  });
  const approver: ApproverAnswer["keyID"] = workspace.approver;
  const ask: Ask = {
    id: newID("per"),
    sessionID,
    permission: "external_directory",
    patterns: [always.kind === "directory" ? join(always.path, "*") : always.path],
    always: [],
    metadata: { filepath: path, parentDir: kind === "directory" ? path : dirname(path) },
    workspaceID: workspace.id,
    approver,
    path,
    access,
    reason,
    time: { created: Date.now() },
  };
  return {
    ask,
    question,
    waiting: 0,
    told: false,
    carries: new Set(),
    reply: undefined,
    used: false,
    answered,
    settle,
  };
}

function keyOf({ workspace, path, access }: Question): string {
  return `${workspace.id}\0${access}\0${path}`;
}
