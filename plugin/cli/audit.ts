// `audit HOST`: who ran, asked for and approved what on a host, by the stub's own log.
import type { AuditLine, LoggedLine } from "../../protocol/audit.js";
import { usage } from "./arguments.js";
import type { Command } from "./context.js";
import { hostOf } from "./host-words.js";
import { printable } from "./printable.js";
import { table } from "./table.js";

const LINES = 200;
/** With a time: as many as the stub gives. */
const MOST = 10_000;

const UNITS: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

export const audit: Command = async ({ invocation, globals, remote, write, progress, interrupt }) => {
  const host = hostOf(invocation.words, "audit");
  const { since: text } = invocation.options;
  const since = text === undefined ? undefined : parseSince(text, Date.now());
  progress.show({ text: `connecting to ${host}` });
  const client = await remote.client(host);
  const lines = await client.audit(since === undefined ? { limit: LINES } : { limit: MOST, since }, interrupt.signal);
  progress.clear();
  if (globals.json) {
    for (const line of lines) await write("stdout", `${JSON.stringify(line)}\n`);
    return 0;
  }
  if (lines.length === 0) await write("stderr", "nothing is in the log for that time\n");
  else await write("stdout", `${table(lines.map(rowOf)).join("\n")}\n`);
  return 0;
};

/** `90s`, `15m`, `2h`, `7d` ago, or a date. Throws `usage`. */
export function parseSince(text: string, now: number): number {
  const ago = /^(\d+)([smhd])$/.exec(text);
  if (ago !== null) return Math.max(0, now - Number(ago[1]) * (UNITS[ago[2] as string] as number));
  const time = /^\d{4}-/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(time) || time < 0) throw usage(`--since ${text}: give 90s, 15m, 2h, 7d, or a date`);
  return time;
}

function rowOf(line: LoggedLine): string[] {
  const { time, event, approver, commandID, permissionID, ptyID, workspaceID } = line;
  return [
    printable(time),
    event,
    printable(outcomeOf(line)),
    printable(approver ?? "-"),
    printable(commandID ?? permissionID ?? ptyID ?? workspaceID ?? ""),
    printable(whatOf(line)),
  ];
}

function outcomeOf({ event, decision, exit, signal, state }: AuditLine): string {
  if (event !== "exit") return decision ?? "-";
  if (typeof exit === "number") return `exit ${exit}`;
  return signal ?? state ?? "-";
}

function whatOf({ command, path, access, paths, cwd, message, reason }: AuditLine): string {
  const text = Array.isArray(command) ? command.join(" ") : command;
  const asked = (paths ?? (path === undefined ? [] : [{ path, access }])).map((each) =>
    `${each.access ?? ""} ${each.path}`.trim(),
  );
  const what = text ?? asked.join(", ");
  const where = cwd === undefined ? "" : ` (in ${cwd})`;
  const said = message ?? reason;
  return `${what}${where}${said === undefined ? "" : `: ${said}`}`;
}
