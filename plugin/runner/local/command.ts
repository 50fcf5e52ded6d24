// A command on this machine: a process group of its own, ended as a host ends it.
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdtempSync } from "node:fs";
import { join } from "node:path";
import { codeOf, RemoteError } from "../../../protocol/errors.js";
import type { Enforcement } from "../../../protocol/health.js";
import { orAborted } from "../../waiting/abort.js";
import type { CommandResult, FollowCommandOptions, RunCommandRequest } from "../runner.js";
import { type InputPipe, openInputPipe, writeInput } from "./input.js";
import { OutputLog } from "./output-log.js";

/** From SIGTERM to SIGKILL, milliseconds. */
const GRACE_MS = 2000;
/** The shell has ended: pipes that stay silent this long are held by its children, milliseconds. */
const DRAIN_MS = 30;

export const LOCAL_ENFORCEMENT: Enforcement = {
  level: "static",
  ask: false,
  landlockAbi: 0,
  gaps: ["command-text"],
  reason: "the local runner checks paths, not what a command itself opens",
};

export interface LocalCommandOptions {
  shell: string;
  /** Canonical, allowed. */
  cwd: string;
  env: Record<string, string | undefined>;
  /** Logs go below it. */
  directory: string;
}

export class LocalCommand {
  readonly commandID: string;
  /** Resolves when the shell has ended and its output is in the log. */
  readonly ended: Promise<CommandResult>;
  readonly #log: OutputLog;
  readonly #child: ChildProcess;
  readonly #startedAt = Date.now();
  #over = false;
  #aborted = false;
  #timedOut = false;
  #inputFailure: { error: unknown } | undefined;

  constructor(request: RunCommandRequest, options: LocalCommandOptions) {
    this.commandID = request.commandID;
    const scratch = mkdtempSync(join(options.directory, "command-"));
    this.#log = new OutputLog(scratch);
    const { command, program, args = [], input } = request;
    const pipe = input === undefined ? undefined : openInputPipe(scratch);
    const [file, ...rest] = command === undefined ? [program ?? "", ...args] : [options.shell, "-c", command];
    this.#child = spawn(file, rest, {
      cwd: options.cwd,
      env: { ...options.env, ...request.env },
      stdio: [pipe?.read ?? "ignore", "pipe", "pipe"],
      detached: true,
    });
    this.#child.stdout?.on("data", (chunk) => this.#log.append("stdout", chunk));
    this.#child.stderr?.on("data", (chunk) => this.#log.append("stderr", chunk));
    this.ended = this.#end(request.timeoutMs);
    // Told to whoever follows the command, which may be nobody.
    this.ended.catch(() => undefined);
    if (input !== undefined && pipe !== undefined) this.#feed(input, pipe);
  }

  /** Delivers the output from its start, then the end. An abort answers at once, flagged. */
  async follow(request: RunCommandRequest): Promise<CommandResult> {
    const { signal, detach } = request;
    const isOver = () => (signal?.aborted ?? false) || (detach?.aborted ?? false);
    const output = this.#log.deliver(request.onOutput, isOver).then(() => this.ended);
    const delivered = orAborted(output, detach).catch((error) => {
      throw detach?.aborted && !signal?.aborted ? detach.reason : error;
    });
    const whole = delivered.then((result) => {
      if (this.#inputFailure !== undefined) throw this.#inputFailure.error;
      return result;
    });
    if (signal === undefined) return await whole;
    let onAbort: () => void = () => undefined;
    const aborted = new Promise<CommandResult>((resolve) => {
      onAbort = () => {
        this.cancel();
        resolve({ ...this.#result(null, null), aborted: true });
      };
      if (signal.aborted) onAbort();
      else signal.addEventListener("abort", onAbort, { once: true });
    });
    try {
      return await Promise.race([whole, aborted]);
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** Output behind `from` and the end; an abort ends the following only. */
  async output({ onOutput, signal, from }: FollowCommandOptions): Promise<CommandResult> {
    const delivered = this.#log.deliver(onOutput, () => signal?.aborted ?? false, from).then(() => this.ended);
    return await orAborted(delivered, signal);
  }

  /** As it is now. */
  async now(): Promise<CommandResult> {
    return this.#over ? await this.ended : { ...this.#result(null, null), state: "running" };
  }

  /** True if it was running. */
  cancel(): boolean {
    if (this.#over) return false;
    this.#aborted = true;
    this.#kill();
    return true;
  }

  close(): void {
    this.#child.stdout?.destroy();
    this.#child.stderr?.destroy();
    this.#log.close();
  }

  #feed(input: AsyncIterable<Uint8Array>, { read, write }: InputPipe): void {
    closeSync(read);
    const ended = new AbortController();
    const onEnd = () => ended.abort();
    this.ended.then(onEnd, onEnd);
    writeInput(input, write, {
      ended: ended.signal,
      onFailure: (error) => {
        this.#inputFailure = { error };
        this.cancel();
      },
    });
  }

  async #end(timeoutMs: number | undefined): Promise<CommandResult> {
    const child = this.#child;
    const onTimeout = () => {
      this.#timedOut = true;
      this.#kill();
    };
    const timer = timeoutMs === undefined ? undefined : setTimeout(onTimeout, timeoutMs);
    try {
      const [exit, signal] = await new Promise<[number | null, string | null]>((resolve, reject) => {
        child.once("exit", (code, name) => resolve([code, name]));
        child.once("error", (error) => {
          reject(new RemoteError("spawn_failed", `${codeOf(error)}: ${child.spawnfile}`, { cause: error }));
        });
      });
      this.#over = true;
      await drained(child);
      return this.#result(exit, signal);
    } finally {
      this.#over = true;
      clearTimeout(timer);
      this.#log.end();
    }
  }

  #result(exit: number | null, signal: string | null): CommandResult {
    return {
      commandID: this.commandID,
      state: signal !== null || !this.#over ? "killed" : "exited",
      exit,
      signal,
      timedOut: this.#timedOut,
      aborted: this.#aborted,
      startedAt: this.#startedAt,
      endedAt: Date.now(),
      stdoutBytes: this.#log.size.stdout,
      stderrBytes: this.#log.size.stderr,
      missedBytes: 0,
      pending: this.#over && this.#signalGroup(0) ? 1 : 0,
      survivors: null,
      enforcement: LOCAL_ENFORCEMENT,
    };
  }

  #kill(): void {
    if (!this.#signalGroup("SIGTERM")) return;
    setTimeout(() => this.#signalGroup("SIGKILL"), GRACE_MS).unref();
  }

  /** False where no process of the group is left. */
  #signalGroup(signal: NodeJS.Signals | 0): boolean {
    const { pid } = this.#child;
    if (pid === undefined) return false;
    try {
      return process.kill(-pid, signal);
    } catch (error) {
      if (codeOf(error) === "ESRCH") return false;
      throw error;
    }
  }
}

/** Resolves when both pipes have ended, or say nothing more because a child that goes on holds them. */
function drained(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, DRAIN_MS);
    const refresh = () => timer.refresh();
    child.stdout?.on("data", refresh);
    child.stderr?.on("data", refresh);
    child.once("close", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
