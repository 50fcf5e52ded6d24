// The files of one command below state/commands/: what they are called, and what is in them. The helper writes them;
// the stub only reads, so that a command is the same whether this stub started it, or one before.
import { readFileSync } from "node:fs";
import { constants } from "node:os";
import { type Static, Type } from "typebox";
import { Value } from "typebox/value";
import { codeOf } from "../../protocol/errors.js";
import { Enforcement } from "../../protocol/health.js";
import { CommandID, SessionID, WorkspaceID } from "../../protocol/ids.js";

/** First line of `.run`: what the stub knew when it asked for the start. */
export const RunMeta = Type.Object({
  commandID: CommandID,
  sessionID: SessionID,
  workspaceID: WorkspaceID,
  title: Type.String(),
  cwd: Type.String(),
  created: Type.Integer(),
  enforcement: Enforcement,
  fingerprint: Type.String(),
  /** /proc/sys/kernel/random/boot_id: a pid and start time mean nothing after a reboot. */
  boot: Type.String(),
});
export type RunMeta = Static<typeof RunMeta>;

/** Second line of `.run`, by the helper. */
const RunProcess = Type.Object({ pid: Type.Integer(), startTime: Type.String(), started: Type.Integer() });
type RunProcess = Static<typeof RunProcess>;

/** `.end`, and the payload of the helper's `end` report. */
export const EndRecord = Type.Object({
  /** As waitpid gives it. */
  status: Type.Integer(),
  flags: Type.Integer(),
  started: Type.Integer(),
  ended: Type.Integer(),
  stdout: Type.Integer(),
  stderr: Type.Integer(),
  pending: Type.Integer(),
  dropped: Type.Integer(),
  errno: Type.Integer(),
  survivors: Type.Union([Type.Array(Type.Integer()), Type.Null()]),
});
export type EndRecord = Static<typeof EndRecord>;

export const END_FLAG = { timedOut: 1, aborted: 2, leftovers: 4 } as const;

export const SUFFIX = { run: ".run", end: ".end", stdout: ".stdout", stderr: ".stderr" } as const;

export interface RunFile {
  meta: RunMeta;
  process: RunProcess;
}

/** Undefined where there is none; throws SyntaxError for one that does not parse. */
export function readRunFile(base: string): RunFile | undefined {
  const text = readIfThere(base + SUFFIX.run);
  if (text === undefined) return undefined;
  const [meta, process] = text.split("\n").map((line) => (line === "" ? undefined : (JSON.parse(line) as unknown)));
  if (!Value.Check(RunMeta, meta) || !Value.Check(RunProcess, process)) {
    throw new SyntaxError(`${base}${SUFFIX.run} is not a command's record`);
  }
  return { meta, process };
}

/** Undefined where there is none; throws SyntaxError for one that does not parse. */
export function readEndFile(base: string): EndRecord | undefined {
  const text = readIfThere(base + SUFFIX.end);
  return text === undefined ? undefined : parseEnd(text);
}

export function parseEnd(text: string): EndRecord {
  const value: unknown = JSON.parse(text);
  if (!Value.Check(EndRecord, value)) throw new SyntaxError("not an end record");
  return value;
}

/** Exit status and signal name of a wait status; exactly one of them is null. */
export function waitStatus(status: number): { exit: number | null; signal: string | null } {
  const number = status & 0x7f;
  if (number === 0) return { exit: (status >> 8) & 0xff, signal: null };
  return { exit: null, signal: SIGNAL_NAMES.get(number) ?? `SIG${number}` };
}

const SIGNAL_NAMES = new Map(
  Object.entries(constants.signals)
    .filter(([name]) => name !== "SIGIOT" && name !== "SIGPOLL" && name !== "SIGUNUSED")
    .map(([name, number]) => [number as number, name]),
);

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}
