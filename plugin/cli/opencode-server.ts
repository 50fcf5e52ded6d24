// `opencode serve` of ours: on loopback, behind a random password, ended with everything it started.
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { codeOf, RemoteError } from "../../protocol/errors.js";
import { onLeash } from "./leash.js";

const START_TIMEOUT_MS = 60_000;
const HEALTH_TRY_MS = 2000;
const HEALTH_PAUSE_MS = 100;
/** From SIGTERM to SIGKILL. */
const GRACE_MS = 3000;
const LOG_LIMIT = 16 * 1024;

export interface OpenCodeServerOptions {
  command: string;
  /** It works there. */
  directory: string;
  env: Record<string, string | undefined>;
  signal: AbortSignal;
}

export class OpenCodeServer {
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  #log = "";
  url = "";
  /** Header of every request. Its password is nobody's but ours, and stands in no command line. */
  readonly authorization: string;

  private constructor(options: OpenCodeServerOptions) {
    const password = randomBytes(24).toString("base64url");
    const user = "opencode";
    this.authorization = `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
    // A group of its own: Ctrl-C in the terminal is the attached client's, and all of it can be ended at once.
    const { command, args } = onLeash(options.command, ["serve", "--hostname", "127.0.0.1", "--port", "0"]);
    this.#child = spawn(command, args, {
      cwd: options.directory,
      env: { ...options.env, OPENCODE_SERVER_PASSWORD: password, OPENCODE_SERVER_USERNAME: user },
      stdio: ["pipe", "pipe", "pipe"],
      detached: true,
    });
    this.#ended = new Promise((resolve) => {
      this.#child.once("exit", () => resolve());
      this.#child.once("error", () => resolve());
    });
  }

  /** Resolves when it answers with our password. Throws `start_failed` with what it said; nothing is left then. */
  static async start(options: OpenCodeServerOptions): Promise<OpenCodeServer> {
    const server = new OpenCodeServer(options);
    try {
      const limit = AbortSignal.any([options.signal, AbortSignal.timeout(START_TIMEOUT_MS)]);
      server.url = await server.#listening(limit);
      await server.#healthy(limit);
      return server;
    } catch (error) {
      await server.close();
      if (options.signal.aborted) throw new RemoteError("aborted", "aborted");
      const said = server.#log.trim().split("\n").at(-1) ?? "";
      throw new RemoteError("start_failed", `opencode serve did not start: ${said || (error as Error).message}`, {
        cause: error,
        hint: "opencode serve --print-logs shows more",
      });
    }
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  /** Ends it and what it started. Idempotent. */
  async close(): Promise<void> {
    if (!this.kill("SIGTERM")) return;
    const timer = setTimeout(() => this.kill("SIGKILL"), GRACE_MS);
    await this.#ended;
    clearTimeout(timer);
    // What it started ends with it, without further grace.
    this.kill("SIGKILL");
  }

  /** Synchronous, for the very end of the process. False where nothing is left. */
  kill(signal: NodeJS.Signals): boolean {
    const { pid } = this.#child;
    if (pid === undefined) return false;
    try {
      return process.kill(-pid, signal);
    } catch (error) {
      if (codeOf(error) === "ESRCH" || codeOf(error) === "EPERM") return false;
      throw error;
    }
  }

  #listening(signal: AbortSignal): Promise<string> {
    return new Promise((resolve, reject) => {
      const take = (data: Buffer) => {
        this.#log = (this.#log + data.toString("utf8")).slice(-LOG_LIMIT);
        const url = /listening on (http:\/\/127\.0\.0\.1:\d+)/.exec(this.#log)?.[1];
        if (url !== undefined) resolve(url);
      };
      this.#child.stdout?.on("data", take);
      this.#child.stderr?.on("data", take);
      this.#child.once("error", reject);
      this.#child.once("exit", (code, name) => reject(new Error(`it ended with ${name ?? code}`)));
      if (signal.aborted) reject(signal.reason);
      else signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
  }

  /** A request sent in its first moments may stay unanswered for ever: each has a limit, and is sent again. */
  async #healthy(signal: AbortSignal): Promise<void> {
    const { authorization } = this;
    for (;;) {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(HEALTH_TRY_MS)]);
      const answer = await fetch(`${this.url}/global/health`, { headers: { authorization }, signal: limit }).catch(
        () => undefined,
      );
      await answer?.body?.cancel();
      if (answer?.ok) return;
      if (signal.aborted) throw signal.reason;
      await new Promise((resolve) => setTimeout(resolve, HEALTH_PAUSE_MS));
    }
  }
}
