// The one door: services say which real path they are about to use, and go on only when this resolves.
import { RemoteError } from "../../protocol/errors.js";
import type { AskedPath, PermissionReply, PermissionRequired } from "../../protocol/permission.js";
import type { Access, Workspace } from "../../protocol/workspace.js";
import { type AuditLog, auditOf } from "../state/audit.js";
import type { Approvals } from "./approvals.js";
import { type Asks, draining } from "./asks.js";
import { firstOf } from "./first-of.js";
import { askedPath, type Entry, type Question, type QuestionPath, required } from "./question.js";
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

export interface Wanted {
  target: Target;
  access: Access;
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
    const { workspace, paths } = pending.question;
    if (reply.reply === "always") refuseAlways(pending.question, guarded);
    const entry = asks.take(id);
    try {
      const line = { ...auditOf(entry.ask), approver };
      audit.write({ event: "reply", ...line, decision: reply.reply, message: reply.message });
      await asks.keepAnswer(entry, reply);
      if (reply.reply === "always") {
        const grants = paths.map(({ always, access }) => ({ ...always, access, source: "reply" as const }));
        await approvals.add(workspace.id, grants);
      }
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
  readonly #granted = new Map<string, AskedPath>();
  /** How the last path got through, for the audit. */
  decision: "approved" | "once" = "approved";

  constructor(options: GateOptions, asker: Asker) {
    this.#options = options;
    this.asker = asker;
  }

  /** What it got by `once`: good for what this request starts, and for nothing else. */
  get grants(): AskedPath[] {
    return [...this.#granted.values()];
  }

  /** Answered before, for this request. */
  lend(grants: AskedPath[]): void {
    for (const grant of grants) this.#granted.set(grantKey(grant.path, grant.access), grant);
    if (grants.length > 0) this.decision = "once";
  }

  /** Without asking anybody. */
  allows(path: string, access: Access): boolean {
    const { workspace } = this.asker;
    return this.#granted.has(grantKey(path, access)) || this.#options.approvals.allows(workspace.id, path, access);
  }

  /** Throws `permission_required` (`onAsk: "fail"`), `permission_rejected`, `aborted`. */
  async require(target: Target, access: Access, reason: string): Promise<void> {
    if (this.allows(target.path, access) || (await this.#useOnce(target.path, access))) return;
    await this.#ask([this.#question([{ target, access }], reason)]);
  }

  /** For several targets that one answer is for. Nothing is used up unless all of them pass. */
  async requireTogether(wanted: Wanted[], reason: string): Promise<void> {
    const [first, ...others] = this.#missing(wanted);
    if (first !== undefined) await this.#ask([this.#question([first, ...others], reason)]);
    await this.#usePresented(wanted);
  }

  /** Throws as `require` does. The answer is for this very command, in this directory. */
  async requireUnconfined(command: string, directory: string, reason: string): Promise<void> {
    const place = { path: directory, kind: "directory" as const };
    const { workspace, sessionID } = this.asker;
    const question: Question = {
      workspace,
      sessionID,
      permission: "unconfined",
      paths: [{ ...place, access: "write", always: place }],
      command,
      reason,
    };
    const same = ({ ask }: Entry) =>
      ask.permission === "unconfined" && ask.command === command && ask.path === directory;
    this.#refuseRejected(same);
    const entry = this.#answeredOnce(same);
    if (entry !== undefined) await this.#options.asks.use(entry);
    else if (this.asker.onAsk === "fail") throw this.#refusal([await this.#tell(question)]);
    else await this.#wait(question);
    this.decision = "once";
  }

  /** For several targets before anything is done: nothing is used up unless all of them pass; all questions are asked at once. */
  async requireAll(wanted: Wanted[], reason: string): Promise<void> {
    await this.#ask(this.#missing(wanted).map((each) => this.#question([each], reason)));
    await this.#usePresented(wanted);
  }

  /** Those that neither an approval nor an answer of before lets through. */
  #missing(wanted: Wanted[]): Wanted[] {
    const missing = wanted.filter(
      ({ target, access }) => !this.allows(target.path, access) && !this.#presented(target.path, access),
    );
    for (const { target, access } of missing) this.#refuseRejected(isAbout(target.path, access));
    return missing;
  }

  async #ask(questions: Question[]): Promise<void> {
    if (questions.length > 0 && this.asker.onAsk === "fail") {
      throw this.#refusal(await Promise.all(questions.map((question) => this.#tell(question))));
    }
    await Promise.all(questions.map((question) => this.#wait(question)));
    for (const question of questions) this.#grant(question.paths);
  }

  async #usePresented(wanted: Wanted[]): Promise<void> {
    for (const { target, access } of wanted) {
      if (!this.allows(target.path, access)) await this.#useOnce(target.path, access);
    }
  }

  #question([first, ...others]: [Wanted, ...Wanted[]], reason: string): Question {
    const { workspace, sessionID } = this.asker;
    const asked = ({ target, access }: Wanted) => askedPath(target, access, this.#options.guarded);
    return {
      workspace,
      sessionID,
      permission: "external_directory",
      paths: [asked(first), ...others.map(asked)],
      reason,
    };
  }

  #presented(path: string, access: Access): Entry | undefined {
    return this.#answeredOnce(isAbout(path, access));
  }

  #answeredOnce(wanted: (entry: Entry) => boolean): Entry | undefined {
    const ids = new Set(this.asker.permissionIDs);
    for (const id of ids) {
      const entry = this.#options.asks.find(id);
      for (const carried of entry?.carries ?? []) ids.add(carried);
      if (entry === undefined || entry.used || entry.ask.workspaceID !== this.asker.workspace.id) continue;
      if (entry.reply?.reply === "once" && wanted(entry)) return entry;
    }
    return undefined;
  }

  async #useOnce(path: string, access: Access): Promise<boolean> {
    const entry = this.#presented(path, access);
    if (entry === undefined) {
      this.#refuseRejected(isAbout(path, access));
      return false;
    }
    await this.#options.asks.use(entry);
    this.decision = "once";
    this.#grant(entry.question.paths);
    return true;
  }

  #grant(paths: QuestionPath[]): void {
    for (const { path, access, kind } of paths) this.#granted.set(grantKey(path, access), { path, access, kind });
  }

  /** A request that comes back with a rejected ask is not asked about again. */
  #refuseRejected(wanted: (entry: Entry) => boolean): void {
    for (const id of this.asker.permissionIDs) {
      const entry = this.#options.asks.find(id);
      if (entry?.reply?.reply !== "reject" || entry.ask.workspaceID !== this.asker.workspace.id) continue;
      if (wanted(entry)) throw rejection(entry, entry.reply);
    }
  }

  /** Asks, and leaves the answer to the request that comes again with the id. */
  #tell(question: Question): Promise<Entry> {
    return this.#options.asks.raise(question, "told", { carries: this.asker.permissionIDs });
  }

  #refusal(entries: Entry[]): RemoteError {
    const asks = entries.map(({ ask }) => required(ask));
    const [first] = asks as [PermissionRequired];
    return new RemoteError("permission_required", `${whatOf(first)} is not approved`, {
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

/** One that cannot be approved refuses them all: half an answer is none. */
function refuseAlways({ permission, paths }: Question, guarded: Protected): void {
  const hint = "reply once or reject";
  if (permission === "unconfined") {
    throw new RemoteError("root_refused", "to run unconfined cannot be approved for always", { hint });
  }
  for (const { path } of paths.map(({ always }) => always)) {
    const why = whyRefused(path, guarded);
    if (why === undefined) continue;
    throw new RemoteError("root_refused", `${path} cannot be approved for always: ${why}`, { hint, details: { path } });
  }
}

function grantKey(path: string, access: Access): string {
  return `${access}\0${path}`;
}

function isAbout(path: string, access: Access) {
  return ({ ask }: Entry) =>
    ask.permission === "external_directory" &&
    ask.paths.some((asked) => asked.path === path && asked.access === access);
}

function whatOf({ permission, paths }: Pick<PermissionRequired, "permission" | "paths">): string {
  if (permission === "unconfined") return "to run it unconfined";
  return paths.map(({ access, path }) => `${access} ${path}`).join(", ");
}

function rejection(entry: Entry, reply: PermissionReply): RemoteError {
  const said = reply.message === undefined ? "" : `: ${reply.message}`;
  return new RemoteError("permission_rejected", `${whatOf(entry.ask)} was rejected${said}`, {
    details: { permissionID: entry.ask.id, path: entry.ask.path, access: entry.ask.access, message: reply.message },
  });
}
