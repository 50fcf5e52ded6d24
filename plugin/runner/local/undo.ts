// What file operations of a local session changed for messages, put back and made again; in memory, as a reference.
import { codeOf } from "../../../protocol/errors.js";
import type { ChangeOf } from "../../../protocol/undo.js";
import type { ForgottenChanges, Reverted, RevertPoint } from "../runner.js";
import { readBytes, removeFile, writeBytes } from "./files.js";

/** Content of a file; undefined: none is there. */
type Content = Uint8Array | undefined;

interface LocalChange extends ChangeOf {
  path: string;
  before: Content;
  after: Content;
  isReverted: boolean;
}

export class LocalUndo {
  #changes: LocalChange[] = [];

  /** Does `work`, which changes these canonical paths, and keeps what was there before and after. */
  async around<T>(change: ChangeOf | undefined, paths: string[], work: () => Promise<T>): Promise<T> {
    if (change === undefined) return await work();
    this.#changes = this.#changes.filter((each) => each.sessionID !== change.sessionID || !each.isReverted);
    const before = await Promise.all(paths.map(contentOf));
    try {
      return await work();
    } finally {
      for (const [index, path] of paths.entries()) {
        const after = await contentOf(path);
        this.#changes.push({ ...change, path, before: before[index], after, isReverted: false });
      }
    }
  }

  async reach(sessionID: string, point: RevertPoint | null): Promise<Reverted> {
    const mine = this.#changes.filter((change) => change.sessionID === sessionID);
    const isBack = (change: LocalChange) => point !== null && isBehind(change, point);
    const changed = new Map<string, "written" | "removed">();
    const left = new Set<string>();
    const step = async (change: LocalChange, from: Content, to: Content) => {
      if (left.has(change.path)) return;
      const now = await contentOf(change.path);
      if (!isSame(now, from) && !isSame(now, to)) {
        left.add(change.path);
        return;
      }
      if (!isSame(now, to)) {
        if (to === undefined) await removeFile(change.path, false);
        else await writeBytes(change.path, to, { parents: true });
        changed.set(change.path, to === undefined ? "removed" : "written");
      }
      change.isReverted = !change.isReverted;
    };
    for (const change of mine.toReversed()) {
      if (isBack(change) && !change.isReverted) await step(change, change.after, change.before);
    }
    for (const change of mine) {
      if (!isBack(change) && change.isReverted) await step(change, change.before, change.after);
    }
    return {
      changed: [...changed].map(([path, now]) => ({ path, now })),
      left: [...left].map((path) => ({ path, reason: "conflict" })),
    };
  }

  forget(sessionID: string, { all, reverted, messageIDs = [] }: ForgottenChanges): void {
    this.#changes = this.#changes.filter((change) => {
      if (change.sessionID !== sessionID) return true;
      return !all && !(reverted && change.isReverted) && !messageIDs.includes(change.messageID);
    });
  }
}

function isBehind({ messageID, callID }: ChangeOf, point: RevertPoint): boolean {
  if (messageID !== point.messageID) return messageID > point.messageID;
  return point.callIDs === undefined || point.callIDs.includes(callID);
}

async function contentOf(path: string): Promise<Content> {
  try {
    return (await readBytes(path, {})).data;
  } catch (error) {
    if (codeOf(error) === "ENOENT" || codeOf(error) === "EISDIR") return undefined;
    throw error;
  }
}

function isSame(one: Content, other: Content): boolean {
  if (one === undefined || other === undefined) return one === other;
  return Buffer.compare(one, other) === 0;
}
