// Running ripgrep: in a pinned directory, on its own, bounded, and ended when nobody wants the answer any more.
import { RemoteError } from "../../protocol/errors.js";
import { checkStarted, type HeldProgram, startProgram } from "../confinement/program.js";

const ERROR_BYTES = 8 * 1024;
const RECORD_BYTES = 4 * 1024 * 1024;

export interface RipgrepRun {
  /** Path of the binary. */
  binary: string;
  args: string[];
  /** The pinned directory to search in: the child goes there through its copy of the descriptor. */
  directory: { path: string; real: string };
  /** Undefined: the kernel here holds no program. */
  held?: HeldProgram | undefined;
  /** Splits the output. */
  separator: "\n" | "\0";
  signal: AbortSignal;
  /** Milliseconds; then what was found is the answer. */
  limitMs: number;
  /** False: enough, ripgrep is ended. */
  onRecord(record: Buffer): boolean;
}

export interface RipgrepEnd {
  /** Ended by `onRecord`. */
  stopped: boolean;
  /** The time was up. */
  timedOut: boolean;
  /** Records that were too long to be kept. */
  dropped: number;
  /** 0 something found, 1 nothing, 2 errors (and perhaps finds); null after a signal. */
  code: number | null;
  errors: string;
}

/** Throws `aborted`, `spawn_failed`. Its configuration file and the stub's own environment are nothing to it. */
export async function ripgrep(run: RipgrepRun): Promise<RipgrepEnd> {
  if (run.signal.aborted) throw new RemoteError("aborted", "the request has ended");
  const child = startProgram(run.held, {
    file: run.binary,
    args: ["--no-config", "--color=never", ...run.args],
    directory: run.directory,
    env: { PATH: "/usr/bin:/bin", LC_ALL: "C.UTF-8" },
  });
  const end = () => void child.kill("SIGKILL");
  run.signal.addEventListener("abort", end, { once: true });
  let stopped = false;
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    end();
  }, run.limitMs);
  let errors = "";
  child.stderr.on("data", (chunk: Buffer) => {
    if (errors.length < ERROR_BYTES) errors += chunk.toString("utf8");
  });
  const split = splitter(run.separator, (record) => {
    if (stopped || run.onRecord(record)) return;
    stopped = true;
    end();
  });
  child.stdout.on("data", split.push);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", (error) =>
      reject(new RemoteError("spawn_failed", `ripgrep cannot run: ${error.message}`, { cause: error })),
    );
    child.once("close", resolve);
  }).finally(() => {
    clearTimeout(timer);
    run.signal.removeEventListener("abort", end);
  });
  if (run.signal.aborted) throw new RemoteError("aborted", "the request has ended");
  checkStarted(run.held, code, errors);
  if (!timedOut) split.flush(); // else the last record may be half of one
  return { stopped, timedOut, dropped: split.dropped(), code, errors: errors.trim() };
}

/** Records over 4 MiB are dropped. */
function splitter(separator: string, onRecord: (record: Buffer) => void) {
  const byte = separator.charCodeAt(0);
  let rest: Buffer[] = [];
  let length = 0;
  let dropped = 0;
  const add = (bytes: Buffer) => {
    length += bytes.length;
    if (length <= RECORD_BYTES) rest.push(bytes);
  };
  const flush = () => {
    if (length > RECORD_BYTES) dropped += 1;
    else if (length > 0) onRecord(Buffer.concat(rest));
    rest = [];
    length = 0;
  };
  const push = (chunk: Buffer) => {
    let from = 0;
    for (let at = chunk.indexOf(byte); at >= 0; at = chunk.indexOf(byte, from)) {
      add(chunk.subarray(from, at));
      flush();
      from = at + 1;
    }
    if (from < chunk.length) add(chunk.subarray(from));
  };
  return { push, flush, dropped: () => dropped };
}
