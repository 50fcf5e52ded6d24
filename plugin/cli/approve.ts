// Asks of the host, answered by the person at the terminal, by --yes, or not at all.
import type { OnAsk, RunnerAsk, RunnerReply } from "../runner/runner.js";
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
      using _ = progress.hold();
      const choice = ask.permission === "unconfined" ? "[o]nce, [r]eject? " : "[o]nce, [a]lways, [r]eject? ";
      for (;;) {
        const typed = await terminal.line(`${questionText(host, ask)}\n${choice}`, signal);
        const reply = typed === undefined ? { reply: "reject" as const } : parseReply(typed);
        if (reply !== undefined && (reply.reply !== "always" || ask.permission !== "unconfined")) return reply;
      }
    });
    // A question that failed is its asker's to tell of; the next one is asked all the same.
    before = mine.catch(() => undefined);
    return mine;
  };
}

/** All that the answer is for: each path on a line of its own where there are several, and what `always` would approve beside it. */
export function questionText(host: string, { permission, patterns = [], paths, command, reason }: RunnerAsk): string {
  const why = printable(reason);
  if (permission === "unconfined") {
    return `${printable(host)}: run this with nothing that holds it to what was approved\n  ${printable(command ?? reason)}`;
  }
  const wanted = paths.map(({ access, path }) => `${access} ${printable(path)}`);
  const more = patterns.filter((pattern) => !paths.some(({ path }) => path === pattern));
  const always = more.length === 0 ? [] : [`  always: ${more.map(allOf).join(", ")}`];
  if (wanted.length === 1) return [`${printable(host)}: ${wanted[0]} (${why})`, ...always].join("\n");
  return [`${printable(host)}: ${why}`, ...wanted.map((line) => `  ${line}`), ...always].join("\n");
}

function allOf(pattern: string): string {
  return pattern.endsWith("/*") ? `all of ${printable(pattern.slice(0, -2))}` : printable(pattern);
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
