// The files of one command below state/commands/: what they are called, and what is in them. The helper writes them;
// the stub only reads, so that a command is the same whether this stub started it, or one before.
//   ID.run      the marks of its logs (marks.ts), a line with what the stub knew, a line of the helper's, and at the end a line
//               with how it ended (the last counts)
//   ID.stdout   ID.stderr   as printed; made at the first byte
//   ID.stdin    a socket, as long as a command with a pipe as stdin runs (stdin.ts)
//   ID.asks     a socket, from the first thing that it asks for to its end (held-asks.ts)
import { readFileSync } from "node:fs";
import { constants } from "node:os";
import { type Static, Type } from "typebox";
import { Compile } from "typebox/compile";
import { Blocked, ByteRange } from "../../protocol/command.js";
import { codeOf } from "../../protocol/errors.js";
import { Enforcement } from "../../protocol/health.js";
import { CommandID, SessionID, WorkspaceID } from "../../protocol/ids.js";
import { type LogMarks, parseMarks } from "./marks.js";

/** Second line of `.run`: what the stub knew when it asked for the start. */
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
  /** Told where the command fails. */
  hidden: Type.Optional(Type.Array(Type.String())),
  setuid: Type.Optional(Type.Array(Type.String())),
  /** Stdin is a pipe. */
  stdin: Type.Optional(Type.Literal("pipe")),
});
export type RunMeta = Static<typeof RunMeta>;

/** Third line of `.run`, by the helper. */
const RunProcess = Type.Object({ pid: Type.Integer(), startTime: Type.String(), started: Type.Integer() });
type RunProcess = Static<typeof RunProcess>;

/** Further lines of `.run`, and the payload of the helper's `end` report. */
export const EndRecord = Type.Object({
  /** As waitpid gives it; -1 where the shell itself survived being killed. */
  status: Type.Integer(),
  flags: Type.Integer(),
  started: Type.Integer(),
  ended: Type.Integer(),
  stdout: Type.Integer(),
  stderr: Type.Integer(),
  pending: Type.Integer(),
  /** What the logs do not hold: their cap, or (with `errno`) the disk. */
  dropped: Type.Object({
    stdout: Type.Union([ByteRange, Type.Null()]),
    stderr: Type.Union([ByteRange, Type.Null()]),
  }),
  errno: Type.Integer(),
  /** What was refused, by an answer or by the kernel. */
  blocked: Type.Optional(Type.Array(Blocked)),
  blockedMore: Type.Optional(Type.Integer()),
  survivors: Type.Union([Type.Array(Type.Integer()), Type.Null()]),
});
export type EndRecord = Static<typeof EndRecord>;

/** The payload of the helper's `settled` report; what was blocked is all of it, also what was in `end`. */
export type Settled = Pick<EndRecord, "blocked" | "blockedMore"> & { survivors: number[] };

const isRunMeta = Compile(RunMeta);
const isRunProcess = Compile(RunProcess);
const isEndRecord = Compile(EndRecord);

export const END_FLAG = { timedOut: 1, aborted: 2, leftovers: 4 } as const;

export const SUFFIX = { run: ".run", stdout: ".stdout", stderr: ".stderr", stdin: ".stdin", asks: ".asks" } as const;

const ATTEMPTS = 5;

export interface RunFile {
  marks: LogMarks;
  meta: RunMeta;
  process: RunProcess;
  /** Undefined as long as the shell runs (or where its helper died). */
  end: EndRecord | undefined;
}

/** Undefined where there is none; throws SyntaxError for one that does not parse. */
export function readRunFile(base: string): RunFile | undefined {
  for (let attempt = 1; ; attempt++) {
    const text = readIfThere(base + SUFFIX.run);
    try {
      return text === undefined ? undefined : parseRun(text);
    } catch (error) {
      // its marks may be overwritten in this very moment
      if (!(error instanceof SyntaxError) || attempt === ATTEMPTS) throw error;
    }
  }
}

/** Throws SyntaxError. A last line without its newline is not there yet. */
export function parseRun(text: string): RunFile {
  const lines = text.split("\n").slice(0, -1);
  const marks = parseMarks(lines[0] ?? "");
  const meta: unknown = JSON.parse(lines[1] ?? "");
  const process: unknown = JSON.parse(lines[2] ?? "");
  if (!isRunMeta.Check(meta) || !isRunProcess.Check(process)) throw new SyntaxError("not a command's record");
  const last = lines.length > 3 ? lines.at(-1) : undefined;
  return { marks, meta, process, end: last === undefined ? undefined : parseEnd(last) };
}

/** Whether a record has the line of its end, without parsing it. */
export function hasEnded(text: string): boolean {
  return text.split("\n").length > 4;
}

export function parseEnd(text: string): EndRecord {
  const value: unknown = JSON.parse(text);
  if (!isEndRecord.Check(value)) throw new SyntaxError("not an end record");
  return value;
}

/** Exit status and signal name of a wait status; one of them is null, both where it is not known. */
export function waitStatus(status: number): { exit: number | null; signal: string | null } {
  if (status < 0) return { exit: null, signal: null };
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
