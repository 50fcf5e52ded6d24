// The processes of a terminal: the session of its first process and whatever descends from it, named by pid and start time.
// Ending them: a hangup, as when a terminal is closed, then SIGKILL for what stays, then a look whether anything is left.
import { readdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { codeOf } from "../../protocol/errors.js";
import { type ProcessStat, processStat } from "../process-stat.js";

interface Listed extends ProcessStat {
  pid: number;
}

/** From the hangup to SIGKILL, in milliseconds. */
const GRACE_MS = 2000;
/** After SIGKILL a process may still be inside a system call. */
const KILLED_MS = 2000;
const LOOK_MS = 20;

/** Remembers who belongs to it: a process whose parent has gone is still found. */
export class SessionProcesses {
  readonly #leader: number;
  readonly #known = new Map<number, string>();

  constructor(leader: number) {
    this.#leader = leader;
    this.look();
  }

  /** Pids that live now. */
  look(): number[] {
    const all = listProcesses();
    const living = new Map(all.map((each) => [each.pid, each]));
    for (const [pid, startTime] of this.#known) if (living.get(pid)?.startTime !== startTime) this.#known.delete(pid);
    for (let grown = true; grown; ) {
      grown = false;
      for (const { pid, parent, session, startTime } of all) {
        if (this.#known.has(pid) || pid === process.pid) continue;
        if (session !== this.#leader && pid !== this.#leader && !this.#known.has(parent)) continue;
        this.#known.set(pid, startTime);
        grown = true;
      }
    }
    return [...this.#known.keys()];
  }

  /** Gives the pids that could not be ended. */
  async end(graceMs = GRACE_MS): Promise<number[]> {
    this.#signal("SIGHUP");
    this.#signal("SIGCONT");
    if (await this.#gone(graceMs)) return [];
    // What is forked meanwhile is found by the next look.
    for (const until = Date.now() + KILLED_MS; Date.now() < until; ) {
      this.#signal("SIGKILL");
      if (await this.#gone(5 * LOOK_MS)) return [];
    }
    return this.look();
  }

  #signal(signal: NodeJS.Signals): void {
    for (const pid of this.look()) {
      try {
        process.kill(pid, signal);
      } catch (error) {
        // It has ended by itself, or belongs to another user (sudo) and is reported as a survivor.
        if (codeOf(error) !== "ESRCH" && codeOf(error) !== "EPERM") throw error;
      }
    }
  }

  async #gone(limitMs: number): Promise<boolean> {
    for (const until = Date.now() + limitMs; ; await sleep(LOOK_MS)) {
      if (this.look().length === 0) return true;
      if (Date.now() >= until) return false;
    }
  }
}

function listProcesses(): Listed[] {
  const found: Listed[] = [];
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const listed = read(Number(name));
    if (listed !== undefined) found.push(listed);
  }
  return found;
}

/** Undefined for what is gone, and for what is another user's and hidden from us. */
function read(pid: number): Listed | undefined {
  try {
    const stat = processStat(pid);
    return stat === undefined ? undefined : { pid, ...stat };
  } catch (error) {
    if (codeOf(error) === "EACCES") return undefined;
    throw error;
  }
}
