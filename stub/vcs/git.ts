// Running git of the host on a repository that nobody vouches for: its configuration must execute nothing, its answers are
// bounded in size and time, and it changes nothing (no locks, no refreshed index).
import { codeOf, RemoteError } from "../../protocol/errors.js";
import { checkStarted, type HeldProgram, startProgram } from "../confinement/program.js";

/** Bytes of one answer, unless it says otherwise. */
const OUTPUT_LIMIT = 16 * 1024 * 1024;
const ERROR_BYTES = 8 * 1024;
/** Milliseconds of one run. */
const TIME_LIMIT = 30_000;

/** OpenCode's own settings, for the same answers; then what a repository's configuration could execute or fetch. */
const SETTINGS = [
  "core.autocrlf=false",
  "core.longpaths=true",
  "core.symlinks=true",
  "core.quotepath=false",
  "core.fsmonitor=false",
  "core.hooksPath=/dev/null",
  "core.sshCommand=false",
  "core.pager=cat",
  "core.askPass=false",
  "core.gitProxy=false",
  "core.untrackedCache=false",
  "credential.helper=",
  "protocol.allow=never",
  "safe.bareRepository=explicit",
  "diff.ignoreSubmodules=dirty",
  "diff.submodule=short",
  "status.submoduleSummary=false",
  "submodule.recurse=false",
];

const VARIABLES = {
  GIT_OPTIONAL_LOCKS: "0",
  GIT_TERMINAL_PROMPT: "0",
  // Objects that a partial clone lacks are not fetched.
  GIT_NO_LAZY_FETCH: "1",
  GIT_ALLOW_PROTOCOL: "none",
  GIT_SSH_COMMAND: "false",
  GIT_ASKPASS: "false",
  GIT_PAGER: "cat",
  LC_ALL: "C.UTF-8",
};

/** Of the login environment: where git is, and the user's own configuration. */
const KEPT = ["PATH", "HOME", "XDG_CONFIG_HOME", "USER", "LOGNAME"];

export interface GitPlace {
  /** A pinned directory, as /proc/self/fd/N, and its real path. */
  directory: { path: string; real: string };
  /** Undefined: the kernel here holds no program, or it is not known yet what it may read. */
  held?: HeldProgram | undefined;
  login: Record<string, string>;
  signal: AbortSignal;
  /** Settings that this repository needs beside the common ones (repository.ts). */
  settings: string[];
}

export interface GitAnswer {
  /** 128 for what git refuses. */
  code: number;
  stdout: Buffer;
  stderr: string;
  /** There was more. */
  truncated: boolean;
}

/** Throws `git_missing`, `timeout`, `aborted`. */
export async function git(place: GitPlace, args: string[], limit = OUTPUT_LIMIT): Promise<GitAnswer> {
  if (place.signal.aborted) throw new RemoteError("aborted", "the request has ended");
  const settings = [...SETTINGS, ...place.settings].flatMap((setting) => ["-c", setting]);
  const env: Record<string, string> = { ...VARIABLES };
  for (const name of KEPT) if (place.login[name] !== undefined) env[name] = place.login[name];
  if (place.held?.level === "mount") env.GIT_DISCOVERY_ACROSS_FILESYSTEM = "1";
  const child = startProgram(place.held, {
    file: "git",
    args: ["--no-pager", "--no-optional-locks", ...settings, ...args],
    directory: place.directory,
    env,
    detached: true,
  });
  let why: RemoteError | undefined;
  const stop = (error?: RemoteError) => {
    why ??= error;
    endGroup(child.pid);
  };
  const onAbort = () => stop(new RemoteError("aborted", "the request has ended"));
  place.signal.addEventListener("abort", onAbort, { once: true });
  const timer = setTimeout(() => stop(new RemoteError("timeout", `git took more than ${TIME_LIMIT} ms`)), TIME_LIMIT);
  const output: Buffer[] = [];
  let size = 0;
  let truncated = false;
  let stderr = "";
  child.stdout.on("data", (chunk: Buffer) => {
    if (truncated) return;
    output.push(chunk.subarray(0, limit - size));
    size += chunk.length;
    truncated = size > limit;
    if (truncated) stop();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    if (stderr.length < ERROR_BYTES) stderr += chunk.toString("utf8");
  });
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once("error", (error) => reject(notStarted(error)));
      child.once("close", resolve);
    });
    if (why !== undefined) throw why;
    checkStarted(place.held, code, stderr);
    return { code: code ?? 128, stdout: Buffer.concat(output), stderr: stderr.trim(), truncated };
  } finally {
    clearTimeout(timer);
    place.signal.removeEventListener("abort", onAbort);
  }
}

/** The text of an answer, without white space around it; empty where git failed. */
export async function gitText(place: GitPlace, args: string[]): Promise<string> {
  const { code, stdout } = await git(place, args);
  return code === 0 ? stdout.toString("utf8").trim() : "";
}

/** NUL separated; none where git failed. */
export async function gitRecords(place: GitPlace, args: string[]): Promise<string[]> {
  const { code, stdout } = await git(place, args);
  return code === 0 ? stdout.toString("utf8").split("\0").filter(Boolean) : [];
}

function endGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch (error) {
    if (codeOf(error) !== "ESRCH") throw error;
  }
}

function notStarted(error: Error): RemoteError {
  const cause = { cause: error };
  if (codeOf(error) === "ENOENT") return new RemoteError("git_missing", "there is no git on this host", cause);
  return new RemoteError("spawn_failed", `git cannot run: ${error.message}`, cause);
}
