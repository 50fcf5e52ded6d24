// Undo: what file requests changed for a message is kept before it is changed, and put back when the message is reverted. What
// somebody else changed since is never overwritten, only named. A stub that is killed in the middle finishes at the same request.
import { codeOf } from "../../protocol/errors.js";
import type { ChangeOf, RevertAnswer, RevertRequest } from "../../protocol/undo.js";
import type { FileContext } from "../files/access.js";
import type { Change, ChangeRecorder, FileState } from "../files/change-recorder.js";
import { inTurn } from "../files/in-turn.js";
import { writeAtomic, writeQuickly } from "../state/atomic.js";
import type { AuditLog } from "../state/audit.js";
import type { StoreLog } from "../state/store.js";
import { isSame, lookAt } from "./file-state.js";
import { Images } from "./images.js";
import { planRedo, planUndo } from "./plan.js";
import { lookAtPath, putBack, removeMade } from "./put-back.js";
import { type KeptChange, type PlacedChange, Records } from "./records.js";

/** Bytes of all contents that are kept on a host. */
const CAP_BYTES = 256 * 1024 * 1024;
/** Of one message; what it changes beyond is not kept. */
const CHANGES = 2000;
/** That are kept; those that were longest at rest go first. */
const UNSAVED = 1000;
/** The session is in another workspace, perhaps of another installation, or of one that is gone: the change is made all the same. */
const NOT_OURS = new Set(["session_exists", "session_unknown", "approver_foreign"]);

export interface UndoOptions {
  /** state/undo */
  directory: string;
  audit: Pick<AuditLog, "write">;
  log: StoreLog;
  /** Waited for before each change; throws where this stub may not change anything any more. */
  mayChange?: () => Promise<void>;
  capBytes?: number;
}

export interface UndoPlace {
  sessionID: string;
  workspaceID: string;
}

type Standing = KeptChange["standing"];
type Left = RevertAnswer["left"][number];
type Stood = [change: PlacedChange, standing: Standing];

export class Undo {
  readonly #options: UndoOptions;
  readonly #records: Records;
  readonly #images: Images;
  /** Sessions in which nothing stands reverted. */
  readonly #clean = new Set<string>();
  /** Changes that could not be written down; the newest. */
  #unsaved: (ChangeOf & { path: string })[] = [];
  #working = 0;

  constructor(options: UndoOptions) {
    this.#options = options;
    this.#records = new Records(options.directory);
    this.#images = new Images(this.#records, options.capBytes ?? CAP_BYTES);
  }

  /** True while something is being written. */
  get isBusy(): boolean {
    return this.#working > 0;
  }

  /** Keeps what the requests of this call change. `ensure` throws where the session is not the workspace's. */
  recorder(workspaceID: string, of: ChangeOf, ensure: () => Promise<unknown>): ChangeRecorder {
    const { sessionID } = of;
    let isOurs = false;
    return {
      ready: async () => {
        isOurs = await ensure().then(
          () => true,
          (error: unknown) => {
            if (!NOT_OURS.has(codeOf(error) ?? "")) throw error;
            this.#options.log.warn({ sessionID, workspaceID }, "a change of another workspace's session is not kept");
            return false;
          },
        );
        if (!isOurs || this.#clean.has(sessionID)) return;
        // OpenCode goes on from where it was reverted to: that cannot be made again.
        await this.forget({ sessionID, workspaceID }, true, []);
        this.#clean.add(sessionID);
      },
      before: async (changes) => {
        if (!isOurs) return;
        await this.#work(() => inTurn(`keep ${sessionID}`, () => this.#keep(workspaceID, of, changes)));
      },
    };
  }

  /** `point` null: everything is made again that was put back. Changes nothing that is as it should be. */
  async reach(place: UndoPlace, point: RevertRequest | null, context: FileContext): Promise<RevertAnswer> {
    return inTurn(`reach ${place.sessionID}`, () =>
      this.#work(async () => {
        this.#clean.delete(place.sessionID);
        return await new Reaching(place, context, this.#options.audit, this.#records, this.#images).run(
          await this.#records.changes(place.sessionID),
          point,
          this.#unsaved.filter((each) => each.sessionID === place.sessionID),
        );
      }),
    );
  }

  /** What stands reverted, and what was changed in these messages, is kept no longer. */
  async forget({ sessionID, workspaceID }: UndoPlace, reverted: boolean, messageIDs: string[]): Promise<void> {
    const gone = new Set(messageIDs);
    this.#unsaved = this.#unsaved.filter((each) => each.sessionID !== sessionID || !gone.has(each.messageID));
    await inTurn(`reach ${sessionID}`, () =>
      this.#work(async () => {
        for (const messageID of await this.#records.messageIDs(sessionID)) {
          const stays = (change: KeptChange) =>
            !gone.has(messageID) && !(reverted && change.standing !== "applied" && change.standing !== "leaving");
          await this.#records.change(sessionID, messageID, workspaceID, (changes) =>
            changes.every(stays) ? changes : changes.filter(stays),
          );
        }
        await this.#sweep(sessionID);
      }),
    );
  }

  /** Not while a change is being kept, whose image comes before its record. */
  #sweep(sessionID: string): Promise<void> {
    return inTurn(`keep ${sessionID}`, async () => {
      const kept = await this.#records.changes(sessionID);
      if (kept.length === 0) await this.#records.drop(sessionID);
      await this.#images.sweep(sessionID, new Set(kept.flatMap(tagsOf)));
    });
  }

  /** The session is no more. */
  async drop(sessionID: string): Promise<void> {
    this.#unsaved = this.#unsaved.filter((each) => each.sessionID !== sessionID);
    this.#clean.delete(sessionID);
    await inTurn(`reach ${sessionID}`, () => this.#records.drop(sessionID));
    this.#images.forgetTotal();
  }

  /** What a kill in the middle of a delete left. */
  async dropOrphans(isKnown: (sessionID: string) => boolean): Promise<void> {
    for (const sessionID of await this.#records.sessionIDs()) if (!isKnown(sessionID)) await this.drop(sessionID);
  }

  async #keep(workspaceID: string, of: ChangeOf, changes: Change[]): Promise<void> {
    const { sessionID, messageID, callID } = of;
    try {
      const kept: KeptChange[] = [];
      for (const { path, at, after, made } of changes) {
        const { state, content } = await lookAt(at);
        if (state.type === "file" && content !== undefined) await this.#images.keep(sessionID, state.tag, content);
        kept.push({ callID, path, before: state, after: await stateAfter(after), made, standing: "applied" });
      }
      const add = (before: KeptChange[]) => {
        if (before.length + kept.length > CHANGES) throw Object.assign(new Error("too many"), { code: "EFBIG" });
        return [...before, ...kept];
      };
      await this.#records.change(sessionID, messageID, workspaceID, add, writeQuickly);
    } catch (error) {
      // A change is not refused because it cannot be undone; it is named instead.
      if (codeOf(error) === undefined) throw error;
      this.#options.log.warn({ err: error, sessionID }, "a change cannot be undone: it could not be written down");
      this.#unsaved = [...this.#unsaved, ...changes.map(({ path }) => ({ ...of, path }))].slice(-UNSAVED);
    }
  }

  async #work<T>(work: () => Promise<T>): Promise<T> {
    await this.#options.mayChange?.();
    this.#working += 1;
    try {
      return await work();
    } finally {
      this.#working -= 1;
    }
  }
}

/** One revert, from what stands to what is wanted. */
class Reaching {
  readonly #place: UndoPlace;
  readonly #context: FileContext;
  readonly #audit: Pick<AuditLog, "write">;
  readonly #records: Records;
  readonly #images: Images;
  readonly #answer: RevertAnswer = { changed: [], left: [] };

  constructor(
    place: UndoPlace,
    context: FileContext,
    audit: Pick<AuditLog, "write">,
    records: Records,
    images: Images,
  ) {
    this.#place = place;
    this.#context = context;
    this.#audit = audit;
    this.#records = records;
    this.#images = images;
  }

  async run(
    changes: PlacedChange[],
    point: RevertRequest | null,
    unsaved: (ChangeOf & { path: string })[],
  ): Promise<RevertAnswer> {
    for (const { path } of unsaved.filter((each) => isBehind(each, point))) this.#leave(path, "not_kept");
    const plans = [];
    for (const [path, all] of byPath(changes)) {
      const back = all.filter((change) => isBehind(change, point) && isApplied(change)).reverse();
      const again = all.filter((change) => !isBehind(change, point) && change.standing !== "applied");
      if (back.length + again.length > 0) plans.push(await this.#plan(path, back, again));
    }
    const ready = plans.filter((plan) => plan !== undefined);
    // Written down first, all at once: whoever finishes this knows what it had begun.
    await this.#stand(ready.flatMap(({ begun }) => begun));
    const done: Stood[] = [];
    const made: string[] = [];
    for (const plan of ready) {
      if (!(await this.#perform(plan))) continue;
      done.push(...plan.ended);
      made.push(...plan.made);
    }
    await removeMade(this.#context, made);
    await this.#stand(done);
    return this.#answer;
  }

  async #plan(path: string, back: PlacedChange[], again: PlacedChange[]): Promise<Prepared | undefined> {
    const isUndo = back.length > 0;
    const looked = await lookAtPath(this.#context, path).catch((error: unknown) => this.#fail(path, error));
    if (looked === undefined) return undefined;
    const { state: now, content } = looked;
    // What somebody else had put back is not ours to make again.
    const others = isUndo ? [] : again.filter(({ standing }) => standing === "idle");
    const plan = isUndo
      ? planUndo(now, back)
      : planRedo(
          now,
          again.filter(({ standing }) => standing !== "idle"),
        );
    if (plan.left.length > 0) {
      const isKept = plan.left[0]?.before.type !== "other" && plan.left[0]?.after.type !== "other";
      this.#leave(path, isKept ? "conflict" : "not_kept");
    }
    const { goal, steps } = plan;
    if (steps.length > 0 && !isSame(now, goal)) {
      const isKept = goal.type !== "file" || (await this.#images.has(this.#place.sessionID, goal.tag));
      if (goal.type === "other" || !isKept) {
        this.#leave(path, "not_kept");
        return undefined;
      }
      // What is there now comes again when this is taken back.
      if (now.type === "file" && content !== undefined)
        await this.#images.keep(this.#place.sessionID, now.tag, content, writeAtomic);
    }
    // Also whose it is and of which mode, should that have been changed since.
    const begun = isUndo
      ? steps.map((step, index): Stood => [{ ...step, after: index === 0 ? now : step.after }, "leaving"])
      : [];
    const idle = plan.idle.map(
      (step): Stood => [step, isUndo ? (step.standing === "leaving" ? "reverted" : "idle") : "applied"],
    );
    const stepped = steps.map((step): Stood => [step, isUndo ? "reverted" : "applied"]);
    const over = others.map((step): Stood => [step, "applied"]);
    const removes = isUndo ? [...steps, ...plan.idle.filter(({ standing }) => standing === "leaving")] : [];
    return {
      path,
      now,
      goal,
      begun,
      ended: [...idle, ...stepped, ...over],
      made: removes.flatMap((change) => change.made),
    };
  }

  async #perform({ path, now, goal }: Prepared): Promise<boolean> {
    if (isSame(now, goal)) return true;
    try {
      const { sessionID, workspaceID } = this.#place;
      // Read only now: all of them together may be more than memory should hold.
      const content = goal.type === "file" ? await this.#images.read(sessionID, goal.tag) : undefined;
      if (goal.type === "file" && content === undefined) {
        this.#leave(path, "not_kept");
        return false;
      }
      const decision = goal.type === "absent" ? "removed" : "written";
      this.#audit.write({ event: "revert", workspaceID, sessionID, path, access: "write", decision });
      this.#answer.changed.push({ path, now: await putBack(this.#context, path, { now, goal, content }) });
      return true;
    } catch (error) {
      this.#fail(path, error);
      return false;
    }
  }

  async #stand(standings: Stood[]): Promise<void> {
    const { sessionID, workspaceID } = this.#place;
    const byMessage = new Map<string, Map<number, Partial<KeptChange>>>();
    for (const [{ messageID, index, after }, standing] of standings) {
      const of = byMessage.get(messageID) ?? new Map<number, Partial<KeptChange>>();
      byMessage.set(messageID, of.set(index, standing === "leaving" ? { standing, after } : { standing }));
    }
    for (const [messageID, of] of byMessage) {
      await this.#records.change(sessionID, messageID, workspaceID, (changes) =>
        changes.map((change, index) => ({ ...change, ...of.get(index) })),
      );
    }
  }

  #fail(path: string, error: unknown): undefined {
    const code = codeOf(error);
    if (code === undefined) throw error;
    if (code === "conflict") this.#leave(path, "conflict");
    else if (code === "permission_required") this.#leave(path, "not_approved");
    else this.#leave(path, "failed", (error as Error).message);
  }

  #leave(path: string, reason: Left["reason"], message?: string): void {
    if (this.#answer.left.some((each) => each.path === path && each.reason === reason)) return;
    const { sessionID, workspaceID } = this.#place;
    this.#audit.write({ event: "revert", workspaceID, sessionID, path, decision: reason, message });
    this.#answer.left.push({ path, reason, ...(message === undefined ? {} : { message }) });
  }
}

interface Prepared {
  path: string;
  now: FileState;
  goal: FileState;
  begun: Stood[];
  ended: Stood[];
  made: string[];
}

/** Message ids of a session are in the order of their text, as OpenCode itself takes them. */
function isBehind({ messageID, callID }: { messageID: string; callID: string }, point: RevertRequest | null): boolean {
  if (point === null) return false;
  if (messageID !== point.messageID) return messageID > point.messageID;
  return point.callIDs === undefined || point.callIDs.includes(callID);
}

function isApplied({ standing }: KeptChange): boolean {
  return standing === "applied" || standing === "leaving";
}

function byPath(changes: PlacedChange[]): Map<string, PlacedChange[]> {
  const paths = new Map<string, PlacedChange[]>();
  for (const change of changes) paths.set(change.path, [...(paths.get(change.path) ?? []), change]);
  return paths;
}

function tagsOf({ before, after }: KeptChange): string[] {
  return [before, after].flatMap((state) => (state.type === "file" ? [state.tag] : []));
}

async function stateAfter(after: Change["after"]): Promise<FileState> {
  return "takenFrom" in after ? (await lookAt(after.takenFrom)).state : after;
}
