// What the user is told of a revert, in a few words: which files are as before, which are not and why, which commands ran.
import type { Reverted } from "../../runner/runner.js";
import { printable } from "../printable.js";

/** Named of each kind; of the others only how many they are. */
const NAMED = 5;
const COMMAND_LENGTH = 60;

const REASONS = {
  conflict: "changed since by somebody else",
  not_approved: "not approved any more",
  not_kept: "nothing was kept of it",
  failed: "the host refused",
};

export interface RevertNews {
  /** Undo, or redo. */
  isUndo: boolean;
  host: string;
  /** On the host: names below it are told without it. */
  directory: string;
  reverted: Reverted;
  /** That ran since. */
  commands: string[];
}

/** Undefined where there is nothing to tell. */
export function revertText(news: RevertNews): { text: string; isWarning: boolean } | undefined {
  const { isUndo, host, directory, reverted, commands } = news;
  const name = (path: string) => (path.startsWith(`${directory}/`) ? path.slice(directory.length + 1) : path);
  const { changed, left } = reverted;
  const sentences: string[] = [];
  if (changed.length > 0) {
    const files = changed.map(({ path, now }) => (now === "removed" ? `${name(path)} (removed)` : name(path)));
    sentences.push(`${isUndo ? "put back" : "made again"}: ${some(files)}.`);
  }
  if (left.length > 0) {
    const files = left.map(({ path, reason }) => `${name(path)} (${REASONS[reason]})`);
    sentences.push(`Left as ${left.length === 1 ? "it is" : "they are"}: ${some(files)}.`);
  }
  if (commands.length > 0) {
    const many = commands.length === 1 ? "1 command" : `${commands.length} commands`;
    sentences.push(`What commands changed is not restored; ${many} ran since: ${some(commands.map(shorten), "; ")}`);
  }
  if (sentences.length === 0) return undefined;
  const isWarning = left.length > 0 || commands.length > 0;
  return { text: printable(`${host}: ${sentences.join(" ")}`), isWarning };
}

function some(names: string[], between = ", "): string {
  const more = names.length - NAMED;
  const named = names.slice(0, NAMED).join(between);
  return more > 0 ? `${named} and ${more} more` : named;
}

function shorten(command: string): string {
  const line = command.replace(/\s+/g, " ").trim();
  return `\`${line.length <= COMMAND_LENGTH ? line : `${line.slice(0, COMMAND_LENGTH)}…`}\``;
}
