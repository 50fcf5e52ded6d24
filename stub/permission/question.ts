// One question and what this stub knows about it: who waits, who was told, what was answered.
import { dirname, join } from "node:path";
import { newID } from "../../protocol/ids.js";
import type { Ask, PermissionReply, PermissionRequired } from "../../protocol/permission.js";
import type { Access, Workspace } from "../../protocol/workspace.js";

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

export function newEntry(ask: Ask, question: Question, since: number): Entry {
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
    since,
    saved: Promise.resolve(),
    answered,
    settle,
  };
}

export function required(ask: Ask): PermissionRequired {
  return { permissionID: ask.id, path: ask.path, access: ask.access, reason: ask.reason };
}

export function makeAsk(question: Question): Ask {
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

/** The same question has the same key, whoever asks. */
export function keyOf({ workspace, path, access }: Question): string {
  return `${workspace.id}\0${access}\0${path}`;
}
