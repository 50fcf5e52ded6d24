// The one door: services say which real path they are about to use, and go on only when this resolves.
import { dirname } from "node:path";
import { RemoteError } from "../../protocol/errors.js";
import type { PermissionReply, PermissionRequired } from "../../protocol/permission.js";
import type { Access, Workspace } from "../../protocol/workspace.js";
import type { AuditLog } from "../state/audit.js";
import type { Approvals } from "./approvals.js";
import { type Asks, draining } from "./asks.js";
import { type Entry, type Question, required } from "./question.js";
import { type Protected, whyRefused } from "./refusals.js";

/** Who asks and how, for the length of one request. */
export interface Asker {
  workspace: Workspace;
  sessionID: string | null;
  onAsk: "wait" | "fail";
  /** The answered asks whose `once` this request uses. */
  permissionIDs: string[];
  /** Aborted when the client has gone. */
  readonly signal: AbortSignal;
  /** The ask outlives its request: the client comes again with the same one. Otherwise it ends with the last that waits for it. */
  held?: boolean;
}

export interface Target {
  /** Canonical real path. */
  path: string;
  kind: "directory" | "file";
}

export interface GateOptions {
  approvals: Approvals;
  asks: Asks;
  audit: AuditLog;
  guarded: Protected;
}

export class Gate {
  readonly #options: GateOptions;

  constructor(options: GateOptions) {
    this.#options = options;
  }

  /** The gate of one request: what it got by `once` holds for all of this request and for nothing else. */
  open(asker: Asker): Pass {
    return new Pass(this.#options, asker);
  }

  /**
   * Answers an ask. Throws `permission_unknown`, `permission_replied`, `root_refused` (this cannot be approved for always;
   * the ask stays pending), or why the answer could not be kept (the ask stays pending, nothing is approved).
   */
  async reply(id: string, reply: PermissionReply, approver: string): Promise<void> {
    const { asks, approvals, audit, guarded } = this.#options;
    if (asks.ending.aborted) throw draining();
    const pending = asks.require(id);
    const { workspace, always, access } = pending.question;
    if (reply.reply === "always") refuseAlways(always.path, guarded);
    const entry = asks.take(id);
    try {
      const { sessionID, path } = entry.ask;
      const line = {
        approver,
        workspaceID: workspace.id,
        sessionID: sessionID ?? undefined,
        permissionID: id,
        path,
        access,
      };
      audit.write({ event: "reply", ...line, decision: reply.reply, message: reply.message });
      await asks.keepAnswer(entry, reply);
      if (reply.reply === "always") await approvals.add(workspace.id, [{ ...always, access, source: "reply" }]);
    } catch (error) {
      await asks.giveBack(entry);
      throw error;
    }
    asks.settle(entry, reply);
  }
}

export class Pass {
  readonly #options: GateOptions;
  readonly asker: Asker;
  readonly #granted = new Set<string>();
  /** How the last path got through, for the audit. */
  decision: "approved" | "once" = "approved";

  constructor(options: GateOptions, asker: Asker) {
    this.#options = options;
    this.asker = asker;
  }

  /** Without asking anybody. */
  allows(path: string, access: Access): boolean {
    const { workspace } = this.asker;
    return this.#granted.has(`${access}\0${path}`) || this.#options.approvals.allows(workspace.id, path, access);
  }

  /** Throws `permission_required` (`onAsk: "fail"`), `permission_rejected`, `aborted`. */
  async require(target: Target, access: Access, reason: string): Promise<void> {
    if (this.allows(target.path, access) || (await this.#useOnce(target.path, access))) return;
    const question = this.#question(target, access, reason);
    if (this.asker.onAsk === "fail") throw this.#refusal([await this.#tell(question)]);
    await this.#wait(question);
    this.#granted.add(`${access}\0${target.path}`);
  }

  /** For several targets before anything is done: nothing is used up unless all of them pass; all questions are asked at once. */
  async requireAll(wanted: { target: Target; access: Access }[], reason: string): Promise<void> {
    const missing = wanted.filter(
      ({ target, access }) => !this.allows(target.path, access) && !this.#presented(target.path, access),
    );
    for (const { target, access } of missing) this.#refuseRejected(target.path, access);
    const questions = missing.map(({ target, access }) => this.#question(target, access, reason));
    if (questions.length > 0 && this.asker.onAsk === "fail") {
      throw this.#refusal(await Promise.all(questions.map((question) => this.#tell(question))));
    }
    await Promise.all(questions.map((question) => this.#wait(question)));
    for (const { path, access } of questions) this.#granted.add(`${access}\0${path}`);
    for (const { target, access } of wanted) {
      if (!this.allows(target.path, access)) await this.#useOnce(target.path, access);
    }
  }

  #question({ path, kind }: Target, access: Access, reason: string): Question {
    const { workspace, sessionID } = this.asker;
    const directory = kind === "directory" ? path : dirname(path);
    const wide = whyRefused(directory, this.#options.guarded) === undefined;
    const always = wide ? { path: directory, kind: "directory" as const } : { path, kind };
    return { workspace, sessionID, path, access, kind, always, reason };
  }

  #presented(path: string, access: Access): Entry | undefined {
    const ids = new Set(this.asker.permissionIDs);
    for (const id of ids) {
      const entry = this.#options.asks.find(id);
      for (const carried of entry?.carries ?? []) ids.add(carried);
      if (entry === undefined || entry.used || entry.ask.workspaceID !== this.asker.workspace.id) continue;
      if (entry.ask.path === path && entry.ask.access === access && entry.reply?.reply === "once") return entry;
    }
    return undefined;
  }

  async #useOnce(path: string, access: Access): Promise<boolean> {
    const entry = this.#presented(path, access);
    if (entry === undefined) {
      this.#refuseRejected(path, access);
      return false;
    }
    await this.#options.asks.use(entry);
    this.decision = "once";
    this.#granted.add(`${access}\0${path}`);
    return true;
  }

  /** A request that comes back with a rejected ask is not asked about again. */
  #refuseRejected(path: string, access: Access): void {
    for (const id of this.asker.permissionIDs) {
      const entry = this.#options.asks.find(id);
      if (entry?.reply?.reply !== "reject" || entry.ask.workspaceID !== this.asker.workspace.id) continue;
      if (entry.ask.path === path && entry.ask.access === access) throw rejection(entry, entry.reply);
    }
  }

  /** Asks, and leaves the answer to the request that comes again with the id. */
  #tell(question: Question): Promise<Entry> {
    return this.#options.asks.raise(question, "told", this.asker.permissionIDs);
  }

  #refusal(entries: Entry[]): RemoteError {
    const asks = entries.map(({ ask }) => required(ask));
    const [first] = asks as [PermissionRequired];
    return new RemoteError("permission_required", `${first.access} ${first.path} is not approved`, {
      details: { ...first, ...(asks.length > 1 ? { asks } : {}) },
    });
  }

  /** Until it is answered. Throws `permission_rejected`, `aborted`, `stub_draining`. */
  async #wait(question: Question): Promise<void> {
    const { signal, held } = this.asker;
    const { asks } = this.#options;
    const entry = asks.missed(question) ?? (await asks.raise(question, "waited"));
    entry.waiting += 1;
    const outcome = await firstOf(entry.answered, signal, asks.ending);
    asks.leave(entry);
    if (outcome === "aborted") {
      if (asks.ending.aborted) throw draining();
      if (entry.waiting === 0 && !entry.told && held !== true) await asks.withdraw(entry, "the request has ended");
      throw new RemoteError("aborted", "the request ended before its ask was answered");
    }
    if (outcome.reply === "reject") throw rejection(entry, outcome);
    if (outcome.reply !== "once") return;
    await asks.use(entry);
    this.decision = "once";
  }
}

async function firstOf<T>(promise: Promise<T>, ...signals: AbortSignal[]): Promise<T | "aborted"> {
  let abort: () => void = () => undefined;
  const aborted = new Promise<"aborted">((resolve) => {
    abort = () => resolve("aborted");
  });
  for (const signal of signals) {
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
  }
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    for (const signal of signals) signal.removeEventListener("abort", abort);
  }
}

function refuseAlways(path: string, guarded: Protected): void {
  const why = whyRefused(path, guarded);
  if (why === undefined) return;
  throw new RemoteError("root_refused", `${path} cannot be approved for always: ${why}`, {
    hint: "reply once or reject",
    details: { path },
  });
}

function rejection(entry: Entry, reply: PermissionReply): RemoteError {
  const said = reply.message === undefined ? "" : `: ${reply.message}`;
  return new RemoteError("permission_rejected", `${entry.ask.access} ${entry.ask.path} was rejected${said}`, {
    details: { permissionID: entry.ask.id, path: entry.ask.path, access: entry.ask.access, message: reply.message },
  });
}
