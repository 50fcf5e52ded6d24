// What a revert of OpenCode's takes back: from the whole conversation the calls behind its point, and the commands among them.

export interface RevertPoint {
  messageID: string;
  /** The first part that goes, where not all of the message does. */
  partID?: string;
}

export interface StoredPart {
  id: string;
  type: string;
  tool?: string;
  callID?: string;
  state?: { status?: string; input?: { command?: unknown }; metadata?: { sessionId?: unknown } };
}

export interface StoredMessage {
  info: { id: string };
  parts: StoredPart[];
}

export interface RevertedParts {
  /** Of the point's own message; undefined: all of them. */
  callIDs: string[] | undefined;
  /** Texts of commands, oldest first. */
  commands: string[];
  /** Sessions of subagents. */
  subagents: string[];
}

export function revertedParts(messages: StoredMessage[], { messageID, partID }: RevertPoint): RevertedParts {
  const from = messages.findIndex(({ info }) => info.id === messageID);
  const [first, ...later] = from < 0 ? [] : messages.slice(from);
  const own = first === undefined ? [] : first.parts.slice(Math.max(0, indexOf(first.parts, partID)));
  const calls = own.flatMap(({ type, callID }) => (type === "tool" && callID !== undefined ? [callID] : []));
  const all = [...own, ...later.flatMap(({ parts }) => parts)].filter(({ type }) => type === "tool");
  return {
    callIDs: partID === undefined ? undefined : calls,
    commands: all.flatMap(commandOf),
    subagents: all.flatMap(({ tool, state }) => {
      const id = state?.metadata?.sessionId;
      return tool === "task" && typeof id === "string" ? [id] : [];
    }),
  };
}

export function commandOf({ tool, state }: StoredPart): string[] {
  const command = state?.input?.command;
  return tool === "bash" && typeof command === "string" ? [command] : [];
}

function indexOf(parts: StoredPart[], partID: string | undefined): number {
  return partID === undefined ? 0 : parts.findIndex(({ id }) => id === partID);
}
