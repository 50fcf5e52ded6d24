// GET /command: newest first, in pages. Ended commands are found in the list of the archive; only the records of one page are read.
import type { CommandRecord, CommandState } from "../../protocol/command.js";

export interface ListQuery {
  /** Whose workspaces may be seen. */
  visible(workspaceID: string): boolean;
  workspaceID?: string | undefined;
  sessionID?: string | undefined;
  state?: CommandState | undefined;
  /** Those that were made before this one. */
  before?: string | undefined;
  limit: number;
}

/** What is known of a command without its record. */
export interface Listed {
  commandID: string;
  sessionID: string;
  workspaceID: string;
  state: CommandState;
  created: number;
}

/** `read` gives the record of one; undefined where it is gone by now. */
export function pageOf(
  all: Iterable<Listed>,
  query: ListQuery,
  read: (commandID: string) => CommandRecord | undefined,
): CommandRecord[] {
  const { before } = query;
  const wanted: Listed[] = [];
  let border: Listed | undefined;
  for (const entry of all) {
    if (entry.commandID === before) border = entry;
    if (!query.visible(entry.workspaceID)) continue;
    if (query.workspaceID !== undefined && entry.workspaceID !== query.workspaceID) continue;
    if (query.sessionID !== undefined && entry.sessionID !== query.sessionID) continue;
    if (query.state === undefined || entry.state === query.state) wanted.push(entry);
  }
  if (before !== undefined && border === undefined) return [];
  wanted.sort(newestFirst);
  const page: CommandRecord[] = [];
  for (const entry of wanted) {
    if (page.length === query.limit) break;
    if (border !== undefined && newestFirst(border, entry) >= 0) continue;
    const record = read(entry.commandID);
    if (record !== undefined) page.push(record);
  }
  return page;
}

function newestFirst(a: Listed, b: Listed): number {
  return b.created - a.created || (a.commandID < b.commandID ? 1 : a.commandID > b.commandID ? -1 : 0);
}
