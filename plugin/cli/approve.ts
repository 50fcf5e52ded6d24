// Asks of the host, answered by the person at the terminal, by --yes, or not at all.
import type { OnAsk, RunnerReply } from "../runner/runner.js";
import { printable } from "./printable.js";
import type { Progress } from "./progress.js";
import type { Terminal } from "./terminal.js";

export interface ApproveOptions {
  host: string;
  yes: boolean;
  terminal: Terminal | undefined;
  progress: Progress;
}

/** Undefined where nobody can be asked: then `permission_required` is the error. */
export function onAskFor({ host, yes, terminal, progress }: ApproveOptions): OnAsk | undefined {
  if (yes) return async () => ({ reply: "once" });
  if (terminal === undefined) return undefined;
  let before: Promise<unknown> = Promise.resolve();
  return (ask, signal) => {
    // One question at a time, whatever runs side by side.
    const mine = before.then(async (): Promise<RunnerReply> => {
      progress.clear();
      const what = `${printable(host)}: ${ask.access} ${printable(ask.path)} (${printable(ask.reason)})`;
      for (;;) {
        const typed = await terminal.line(`${what}\n[o]nce, [a]lways, [r]eject? `, signal);
        const reply = typed === undefined ? { reply: "reject" as const } : parseReply(typed);
        if (reply !== undefined) return reply;
      }
    });
    // A question that failed is its asker's to tell of; the next one is asked all the same.
    before = mine.catch(() => undefined);
    return mine;
  };
}

/** `o`, `once`, `a`, `always`, `r`, `reject`, and a message behind the latter; undefined: none of them. */
export function parseReply(typed: string): RunnerReply | undefined {
  const [word = "", ...rest] = typed.trim().split(/\s+/);
  const lower = word.toLowerCase();
  if (lower === "o" || lower === "once") return { reply: "once" };
  if (lower === "a" || lower === "always") return { reply: "always" };
  if (lower === "r" || lower === "reject") {
    return rest.length === 0 ? { reply: "reject" } : { reply: "reject", message: rest.join(" ") };
  }
  return undefined;
}
