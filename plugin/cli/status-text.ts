// What `status` shows for people. Everything that came from the host is stripped of control sequences.
import type { CommandRecord } from "../../protocol/command.js";
import type { HostStatus } from "../compose.js";
import { enforcementText } from "../runner/enforcement-text.js";
import { printable } from "./printable.js";
import { table } from "./table.js";

const TITLE = 60;

export function stubLines(host: string, { health, latencyMs, workspaces }: HostStatus): string[] {
  const { version, stub, hostname, enforcement, lease, problems = [] } = health;
  const up = age(Date.now() - stub.startedAt);
  return [
    `${printable(host)} (${printable(hostname)}): stub ${printable(version)}, pid ${stub.pid}, up ${up}`,
    `  round trip ${latencyMs.toFixed(1)} ms, lease ${lease === null ? "none" : "held"}`,
    `  ${printable(enforcementText(enforcement))}`,
    ...workspaces.map(
      ({ name, directory }) => `  workspace ${printable(name)}: ${printable(directory ?? "no directory")}`,
    ),
    ...problems.map(({ code, message }) => `  problem ${printable(code)}: ${printable(message)}`),
  ];
}

export function commandLines({ running, recent }: HostStatus, left: ReadonlySet<string>): string[] {
  if (running.length + recent.length === 0) return ["no commands"];
  return [
    ...section("running", running, left),
    ...section("ended", recent, left),
    ...(left.size === 0 ? [] : ["* nobody received its end; the session's next bash result tells it"]),
  ];
}

function section(title: string, records: CommandRecord[], left: ReadonlySet<string>): string[] {
  if (records.length === 0) return [];
  const rows = records.map((record) => [
    `${left.has(record.commandID) ? "*" : " "} ${record.commandID}`,
    outcome(record),
    when(record),
    bytes(record.output.stdout + record.output.stderr),
    record.sessionID,
    printable(record.cwd),
    printable(record.title.slice(0, TITLE)),
  ]);
  return [title, ...table(rows)];
}

function outcome({ state, exit, signal, timedOut, aborted, pending }: CommandRecord): string {
  const flag = timedOut ? " (time limit)" : aborted ? " (aborted)" : "";
  const rest = pending > 0 ? ` +${pending}` : "";
  if (exit !== null) return `exit ${exit}${flag}${rest}`;
  return `${signal === null ? state : printable(signal)}${flag}${rest}`;
}

function when({ time: { created, started = created, ended } }: CommandRecord): string {
  if (ended === undefined) return `since ${age(Date.now() - started)}`;
  return `${age(Date.now() - ended)} ago, took ${age(ended - started)}`;
}

/** The largest unit that fits: `0.4 s`, `12 min`, `3 h`, `2 d`. A clock that runs ahead counts as now. */
export function age(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

/** Decimal, as disks are sold. */
function bytes(count: number): string {
  if (count < 1000) return `${count} B`;
  const unit = Math.min(3, Math.floor(Math.log10(count) / 3));
  return `${(count / 1000 ** unit).toFixed(1)} ${["B", "kB", "MB", "GB"][unit]}`;
}
