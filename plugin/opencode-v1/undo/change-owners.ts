// Whose change it is: of the message that the user can undo. A subagent works in a session of its own, for a `task` call of the
// message that started it.
import type { ChangeOf } from "../../../protocol/undo.js";
import type { CallContext, LooseEvent } from "../opencode-types.js";

/** Subagents that are remembered; the oldest go first. */
const SUBAGENTS = 1000;
/** Subagents may have subagents. */
const DEPTH = 10;

interface TaskPart {
  tool?: string;
  sessionID?: string;
  messageID?: string;
  callID?: string;
  state?: { status?: string; metadata?: { sessionId?: unknown } };
}

export class ChangeOwners {
  readonly #tasks = new Map<string, ChangeOf>();

  /** To be called with every event. */
  handle({ type, properties }: LooseEvent): void {
    if (type !== "message.part.updated") return;
    const { tool, sessionID, messageID, callID = "", state } = (properties.part ?? {}) as TaskPart;
    const child = state?.metadata?.sessionId;
    // An old part may change, too: only a call that runs has its subagent at work.
    if (tool !== "task" || state?.status !== "running" || typeof child !== "string") return;
    if (sessionID === undefined || messageID === undefined) return;
    this.#tasks.delete(child);
    this.#tasks.set(child, { sessionID, messageID, callID });
    for (const oldest of this.#tasks.keys()) {
      if (this.#tasks.size <= SUBAGENTS) break;
      this.#tasks.delete(oldest);
    }
  }

  of({ sessionID, messageID, callID = "" }: Pick<CallContext, "sessionID" | "messageID" | "callID">): ChangeOf {
    let owner: ChangeOf = { sessionID, messageID, callID };
    for (let depth = 0; depth < DEPTH; depth += 1) {
      const above = this.#tasks.get(owner.sessionID);
      if (above === undefined) break;
      owner = above;
    }
    return owner;
  }
}
