// The one process that Node starts for commands: `helper --spawner`. Node's own fork stops the event loop for milliseconds
// and costs more the larger the stub is; the spawner forks in a tenth of a millisecond and blocks nobody.
// It dies with its end of the socket; helpers never do, and keep the socket open as long as they live.
import { type ChildProcess, spawn } from "node:child_process";
import type { Socket } from "node:net";
import { RemoteError } from "../../protocol/errors.js";
import { type Frame, frameReader } from "../../protocol/frames.js";
import { checkedHelper } from "../helper-binary.js";
import { type CANCEL_REASON, encodeCancel, encodeStart, type StartRequest } from "./request.js";

export interface SpawnerListener {
  /** A report of a helper; the payload is valid during the call only. */
  frame(frame: Frame): void;
  /** The process ended, or never started. Reports of its helpers still come until `silent`. */
  exit(reason: string): void;
  /** Nothing more will come: every helper of it has ended, or what came made no sense. */
  silent(reason: string): void;
}

/** Longest report: 16 KiB of output and its header, with room. */
const LARGEST_REPORT = 64 * 1024;

export class Spawner {
  readonly #child: ChildProcess;
  readonly #socket: Socket | undefined;
  #alive = true;
  #exited: Promise<void>;

  /** Throws `helper_damaged`. */
  constructor(helper: string, listener: SpawnerListener) {
    // detached: a Ctrl-C in the stub's terminal is not for it. All three of its own streams are /dev/null, because helpers
    // that outlive the stub must not hold the stub's (an ssh channel would never close).
    this.#child = spawn(checkedHelper(helper), ["--spawner"], {
      stdio: ["ignore", "ignore", "ignore", "pipe"],
      detached: true,
      env: {},
      cwd: "/",
    });
    this.#exited = new Promise((resolve) => {
      const ended = (reason: string) => {
        if (this.#alive) {
          this.#alive = false;
          listener.exit(reason);
        }
        resolve();
      };
      this.#child.once("error", (error) => ended(error.message));
      this.#child.once("exit", (code, signal) => ended(signal ?? `exit ${code}`));
    });
    this.#child.unref();
    this.#socket = this.#child.stdio[3] as Socket | undefined;
    if (this.#socket === undefined) return;
    const socket = this.#socket;
    const read = frameReader((frame) => listener.frame(frame), LARGEST_REPORT);
    socket.on("data", (chunk: Buffer) => {
      try {
        read(chunk);
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        socket.destroy();
        this.#child.kill("SIGKILL");
        listener.silent(`broken reports: ${error.message}`);
      }
    });
    socket.once("end", () => listener.silent("its socket ended"));
    socket.once("error", (error) => listener.silent(error.message));
  }

  get alive(): boolean {
    return this.#alive;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Throws RemoteError `spawn_failed` if it is not there. `id` unique for the life of the stub. */
  start(id: number, request: StartRequest): void {
    const bytes = encodeStart(id, request);
    if (!this.#alive || this.#socket === undefined || this.#socket.destroyed) {
      throw new RemoteError("spawn_failed", "the spawner is not running");
    }
    this.#socket.write(bytes);
  }

  cancel(id: number, reason: keyof typeof CANCEL_REASON): void {
    if (this.#alive) this.#socket?.write(encodeCancel(id, reason));
  }

  /** Ends the process, not its helpers. */
  async close(): Promise<void> {
    this.#alive = false;
    this.#socket?.removeAllListeners();
    this.#socket?.on("error", () => undefined);
    this.#socket?.destroy();
    await this.#exited;
  }
}
