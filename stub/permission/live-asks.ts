// Asks of commands that run: their helpers hold them, here they become asks like all others. The same file wanted by two commands of
// a workspace is one ask.
import { dirname } from "node:path";
import { isWithin } from "../../protocol/paths.js";
import type { PermissionReply } from "../../protocol/permission.js";
import type { Workspace } from "../../protocol/workspace.js";
import type { AskUser, HeldAnswer, HeldAsk } from "../commands/held-asks.js";
import type { Approvals } from "./approvals.js";
import type { Asks } from "./asks.js";
import { firstOf } from "./first-of.js";
import { askedPath, type Question } from "./question.js";
import { type Protected, whyRefused } from "./refusals.js";

export interface LiveAsksOptions {
  asks: Asks;
  approvals: Approvals;
  guarded: Protected;
  workspace(id: string): Workspace | undefined;
}

/** What answers the helpers. */
export function liveAsks({ asks, approvals, guarded, workspace: find }: LiveAsksOptions): AskUser {
  const ask: AskUser["ask"] = async ({ workspaceID, sessionID }, held, signal, show) => {
    const { path, access, kind } = held;
    const workspace = find(workspaceID);
    const directory = kind === "directory" ? path : dirname(path);
    /** Of a home that is asked for a file nothing else is given. */
    const scope = whyRefused(directory, guarded) === undefined ? "directory" : "file";
    // what a command must never reach is not asked about
    if (workspace === undefined || isWithin(path, guarded.installRoot)) return { allow: false, scope: "file" };
    if (approvals.allows(workspaceID, path, access)) {
      // since the command started
      return { allow: true, scope: approvals.allows(workspaceID, directory, access) ? scope : "file" };
    }
    const question = questionOf(held, { workspace, sessionID, guarded });
    const before = asks.find(held.id) ?? asks.missed(question);
    const isOpen = before === undefined || asks.isPending(before);
    const entry = isOpen ? await asks.raise(question, "waited", { id: held.id }) : before;
    entry.waiting += 1;
    using _ = show(entry.ask);
    const outcome = await firstOf(entry.answered, signal, asks.ending);
    asks.leave(entry);
    if (outcome === "aborted") {
      if (asks.ending.aborted) return undefined;
      if (entry.waiting === 0 && !entry.told) await asks.withdraw(entry, "what asked has ended");
      return undefined;
    }
    // used up first: should this stub end in between, the next one asks again
    if (outcome.reply === "once") await asks.use(entry);
    return answerOf(outcome, scope, entry.question);
  };
  return { ask, ending: asks.ending };
}

function answerOf({ reply }: PermissionReply, scope: "file" | "directory", { paths }: Question): HeldAnswer {
  if (reply !== "always") return { allow: reply === "once", scope };
  return { allow: true, scope: paths[0].always.kind === "directory" ? "tree" : "file" };
}

function questionOf(
  { path, access, kind, program, operation }: HeldAsk,
  { workspace, sessionID, guarded }: { workspace: Workspace; sessionID: string; guarded: Protected },
): Question {
  const verb = operation === "open" ? access : operation;
  return {
    workspace,
    sessionID,
    permission: "external_directory",
    paths: [askedPath({ path, kind }, access, guarded)],
    reason: `${program || "the command"} wants to ${verb} it`,
  };
}
