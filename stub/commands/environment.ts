// What the user would have after logging in. The login shell is run once per stub start and executes the helper, which
// prints its environment between two random markers: banners, prompts and other noise of rc files do not matter.
// First as an interactive login shell (many put their PATH into an rc file that returns early otherwise), then without.
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { basename } from "node:path";
import { checkedHelper } from "../helper-binary.js";

export interface LoginOptions {
  /** Absolute path of the helper. */
  helper: string;
  /** Absolute path of the user's login shell. */
  shell: string;
  /** What sshd gave the stub: HOME, USER, PATH, LANG… */
  base: Record<string, string | undefined>;
  /** For all attempts together. Default 5000. */
  limitMs?: number;
}

export interface LoginEnvironment {
  env: Record<string, string>;
  /** Undefined: as the stub's own. */
  umask: number | undefined;
  source: "interactive" | "login" | "default";
  /** Why it is not the first choice; for the log. */
  problem: string | undefined;
}

const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const LIMIT_MS = 5000;
/** Of rc files' own output, before we stop listening. */
const NOISE_BYTES = 4 * 1024 * 1024;

/** Never throws; a shell that fails or hangs leaves the plain default, with `problem` saying so. */
export async function readLoginEnvironment(options: LoginOptions, signal?: AbortSignal): Promise<LoginEnvironment> {
  const until = AbortSignal.timeout(options.limitMs ?? LIMIT_MS);
  const problems: string[] = [];
  for (const attempt of attemptsFor(options.shell)) {
    // an interactive shell that waits for its terminal must leave time for the plain one
    const half = AbortSignal.timeout((options.limitMs ?? LIMIT_MS) * 0.6);
    const marker = randomBytes(16).toString("hex");
    try {
      const output = await runShell(
        options,
        attempt,
        marker,
        AbortSignal.any([until, half, ...(signal ? [signal] : [])]),
      );
      const found = parseEnvironment(output, marker);
      if (found !== undefined) {
        const problem = problems.length > 0 ? problems.join("; ") : undefined;
        return { env: cleaned(found.env, options.base), umask: found.umask, source: attempt.source, problem };
      }
      problems.push(`${options.shell} (${attempt.source}) did not reach the end of its rc files`);
    } catch (error) {
      problems.push(`${options.shell} (${attempt.source}): ${error instanceof Error ? error.message : String(error)}`);
    }
    if (until.aborted || signal?.aborted) break;
  }
  return { env: defaultEnvironment(options), umask: undefined, source: "default", problem: problems.join("; ") };
}

/** Between the last two markers: umask in octal, NUL, then NAME=VALUE with a NUL behind each. */
function parseEnvironment(output: Buffer, marker: string): { umask: number; env: Record<string, string> } | undefined {
  const last = output.lastIndexOf(marker);
  const first = last <= 0 ? -1 : output.lastIndexOf(marker, last - 1);
  if (first < 0) return undefined;
  const [umask, ...variables] = output.toString("utf8", first + marker.length, last).split("\0");
  if (umask === undefined || !/^[0-7]{3}$/.test(umask)) return undefined;
  const env: Record<string, string> = {};
  for (const variable of variables) {
    const at = variable.indexOf("=");
    if (at > 0) env[variable.slice(0, at)] = variable.slice(at + 1);
  }
  return { umask: Number.parseInt(umask, 8), env };
}

/**
 * Without what belongs to this connection or to us. SSH_CLIENT above all: Debian's bash sources ~/.bashrc on every
 * `bash -c` where it is set, which makes a command of 1 ms one of 140.
 */
function cleaned(found: Record<string, string>, base: Record<string, string | undefined>): Record<string, string> {
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(found)) {
    if (DROPPED.has(name) || name.startsWith("OPENCODE_")) continue;
    // a forwarded agent ends with the connection that the stub was started by; one that an rc file found stays
    if (name === "SSH_AUTH_SOCK" && value === base.SSH_AUTH_SOCK) continue;
    env[name] = value;
  }
  env.TERM = "dumb";
  return env;
}

const DROPPED = new Set([
  "SSH_CLIENT",
  "SSH2_CLIENT",
  "SSH_TTY",
  "SSH_ORIGINAL_COMMAND",
  "SHLVL",
  "PWD",
  "OLDPWD",
  "_",
  "COLUMNS",
  "LINES",
]);

function defaultEnvironment(options: Pick<LoginOptions, "shell" | "base">): Record<string, string> {
  const { base } = options;
  const env: Record<string, string> = { PATH: base.PATH || DEFAULT_PATH, SHELL: options.shell };
  for (const name of ["HOME", "USER", "LOGNAME", "MAIL", "TZ", "XDG_RUNTIME_DIR"]) {
    const value = base[name];
    if (value) env[name] = value;
  }
  for (const [name, value] of Object.entries(base)) if (/^(LANG|LC_.*)$/.test(name) && value) env[name] = value;
  return cleaned(env, base);
}

/** Names the helper's path for the shell; ours, so `cleaned` drops it. */
const HELPER = "OPENCODE_REMOTE_SSH_HELPER";

interface Attempt {
  source: "interactive" | "login";
  argv0: string;
  /** The value of HELPER as one word, whatever it holds. */
  helper: string;
  args: (script: string) => string[];
  /** The script goes to stdin instead. */
  stdin: boolean;
}

/** csh knows `-l` only by itself, so its script comes on stdin; every other shell takes `-l -i -c`. */
function attemptsFor(shell: string): Attempt[] {
  const name = basename(shell);
  if (name === "csh" || name === "tcsh") {
    return [{ source: "login", argv0: shell, helper: `$${HELPER}:q`, args: () => ["-l"], stdin: true }];
  }
  const helper = `"$${HELPER}"`;
  return [
    { source: "interactive", argv0: shell, helper, args: (script) => ["-l", "-i", "-c", script], stdin: false },
    { source: "login", argv0: shell, helper, args: (script) => ["-l", "-c", script], stdin: false },
  ];
}

function runShell(options: LoginOptions, attempt: Attempt, marker: string, signal: AbortSignal): Promise<Buffer> {
  // Plain text in single quotes is the same to every shell, but each has its own way out of them; and a variable is no command to
  // fish before 3.0.
  const helper = /['\\!\n]/.test(options.helper) ? attempt.helper : `'${options.helper}'`;
  const script = `exec ${helper} --environment ${marker}`;
  checkedHelper(options.helper);
  const env: NodeJS.ProcessEnv = { [HELPER]: options.helper };
  for (const [name, value] of Object.entries(options.base)) if (!name.startsWith("OPENCODE_")) env[name] = value;
  return new Promise((resolve, reject) => {
    // a session of its own: no terminal to be waited for, and one group to be ended
    const child = spawn(options.shell, attempt.args(script), {
      argv0: attempt.argv0,
      env: { ...env, SHELL: options.shell },
      cwd: "/",
      detached: true,
      stdio: [attempt.stdin ? "pipe" : "ignore", "pipe", "ignore"],
    });
    const chunks: Buffer[] = [];
    let size = 0;
    const stop = (why: Error) => {
      if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
        try {
          process.kill(-child.pid, "SIGKILL");
        } catch (error) {
          why.cause = error;
        }
      }
      child.stdout?.destroy();
      reject(why);
    };
    const onAbort = () => stop(new Error("took too long"));
    if (signal.aborted) return stop(new Error("took too long"));
    signal.addEventListener("abort", onAbort, { once: true });
    child.stdout?.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size > NOISE_BYTES) return stop(new Error("its rc files print without end"));
      chunks.push(chunk);
      // the end marker, not the end of the stream: an rc file may leave something running that holds it
      const tail = Buffer.concat(chunks.slice(-2));
      if (tail.includes(marker) && parseEnvironment(Buffer.concat(chunks), marker) !== undefined) finish();
    });
    const finish = () => {
      signal.removeEventListener("abort", onAbort);
      child.stdout?.destroy();
      child.unref();
      resolve(Buffer.concat(chunks));
    };
    child.once("error", (error) => {
      signal.removeEventListener("abort", onAbort);
      reject(error);
    });
    child.once("exit", () => setTimeout(finish, 50));
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(`${script}\n`);
  });
}
