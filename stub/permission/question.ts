// One question and what this stub knows about it: who waits, who was told, what was answered.
import { dirname, join } from "node:path";
import { newID } from "../../protocol/ids.js";
import type { Ask, AskedPath, AskPermission, PermissionReply, PermissionRequired } from "../../protocol/permission.js";
import type { Access, Workspace } from "../../protocol/workspace.js";
import { type Protected, whyRefused } from "./refusals.js";

export interface QuestionPath extends AskedPath {
  /** What `always` would approve; it is what the prompt shows. */
  always: { path: string; kind: "directory" | "file" };
}

export interface Question {
  workspace: Workspace;
  sessionID: string | null;
  permission: AskPermission;
  /** One answer is for all of them. */
  paths: [QuestionPath, ...QuestionPath[]];
  /** `unconfined`: the whole command. */
  command?: string | undefined;
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
  /** Its rejection is nobody's answer: it was given up. */
  withdrawn: boolean;
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
    withdrawn: false,
    since,
    saved: Promise.resolve(),
    answered,
    settle,
  };
}

export function required(ask: Ask): PermissionRequired {
  const { id, permission, patterns, path, access, paths, command, reason } = ask;
  return {
    permissionID: id,
    permission,
    patterns,
    path,
    access,
    paths,
    ...(command === undefined ? {} : { command }),
    reason,
  };
}

/** What is asked for, and what `always` would approve: the directory, unless it must not be approved as a whole. */
export function askedPath(
  { path, kind }: Pick<AskedPath, "path" | "kind">,
  access: Access,
  guarded: Protected,
): QuestionPath {
  const toolchain = access === "read" ? guarded.toolchainOf?.(path) : undefined;
  const directory = toolchain ?? (kind === "directory" ? path : dirname(path));
  const wide = whyRefused(directory, guarded) === undefined;
  return { path, access, kind, always: wide ? { path: directory, kind: "directory" } : { path, kind } };
}

/** `id`: of an ask that a helper holds. */
export function makeAsk(question: Question, id: string = newID("per")): Ask {
  const { permission, paths, command, reason, workspace, sessionID } = question;
  const [{ path, access, kind }] = paths;
  const shown = paths.map(({ always }) => (always.kind === "directory" ? join(always.path, "*") : always.path));
  return {
    id,
    sessionID,
    permission,
    patterns: command === undefined ? [...new Set(shown)] : [command],
    always: [],
    metadata: { filepath: path, parentDir: kind === "directory" ? path : dirname(path) },
    workspaceID: workspace.id,
    approver: workspace.approver,
    path,
    access,
    paths: paths.map(({ always: _always, ...asked }) => asked),
    ...(command === undefined ? {} : { command }),
    reason,
    time: { created: Date.now() },
  };
}

/** The same question has the same key, whoever asks. */
export function keyOf({ workspace, permission, paths, command }: Question): string {
  const wanted = paths.map(({ path, access }) => `${access}\0${path}`).sort();
  return [workspace.id, permission, command ?? "", ...wanted].join("\0");
}
