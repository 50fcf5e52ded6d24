// One terminal: its process, what it printed, and who watches. The fastest client sets the pace; without any it just runs.
import { StringDecoder } from "node:string_decoder";
import { type Pty, PtyClose, type PtySize } from "../../protocol/pty.js";
import type { PtyAddon } from "./addon.js";
import { PtyProcess, type PtyProcessOptions } from "./pty-process.js";
import { cut, Scrollback } from "./scrollback.js";
import { SessionProcesses } from "./session-processes.js";
import type { TerminalClient } from "./terminal-client.js";

/** The process waits while every client has so many bytes before it… */
const FULL_BYTES = 1024 * 1024;
/** …but not for a client that takes nothing for so many milliseconds (a closed lid). */
const STALLED_MS = 5000;

export interface TerminalOptions extends Pick<PtyProcessOptions, "file" | "args" | "env" | "cwd" | "size"> {
  addon: PtyAddon;
  /** All but pid and status. */
  info: Omit<Pty, "pid" | "status">;
  workspaceID: string;
  /** Once. */
  onExit(terminal: Terminal): void;
}

export class Terminal {
  readonly workspaceID: string;
  #info: Pty;
  readonly #process: PtyProcess;
  readonly #scrollback = new Scrollback();
  readonly #decoder = new StringDecoder("utf8");
  readonly #clients = new Set<TerminalClient>();
  #stalled: NodeJS.Timeout | undefined;
  #ending: Promise<number[]> | undefined;

  /** Throws `spawn_failed`. */
  constructor(options: TerminalOptions) {
    this.workspaceID = options.workspaceID;
    this.#process = new PtyProcess(options.addon, {
      ...options,
      onData: (bytes) => this.#print(this.#decoder.write(bytes)),
      onDrain: () => this.#takeInput(),
      onExit: ({ code, signal }) => {
        this.#print(this.#decoder.end());
        this.#info = { ...this.#info, status: "exited", exitCode: signal === 0 ? code : 128 + signal };
        this.#exited();
        options.onExit(this);
      },
    });
    this.#info = { ...options.info, status: "running", pid: this.#process.pid };
  }

  get info(): Pty {
    return this.#info;
  }

  get running(): boolean {
    return this.#info.status === "running";
  }

  get clients(): number {
    return this.#clients.size;
  }

  rename(title: string): void {
    this.#info = { ...this.#info, title };
  }

  resize(size: PtySize): void {
    if (this.running) this.#process.resize(size);
  }

  /** Gives what was printed behind `cursor`, then everything that comes. */
  attach(client: TerminalClient, cursor: number): void {
    for (const text of cut(this.#scrollback.since(cursor))) client.print(text);
    client.control({ cursor: this.#scrollback.cursor });
    if (!this.running) {
      this.#tellEnd(client);
      return;
    }
    this.#clients.add(client);
    client.onTaken = () => this.#pace(true);
    client.onInput = (bytes) => this.#type(client, bytes);
    client.onGone = () => {
      this.#clients.delete(client);
      this.#pace();
    };
    this.#pace();
  }

  /** Ends all its processes. Gives the pids that could not be ended. */
  end(graceMs?: number): Promise<number[]> {
    this.#ending ??= this.running ? new SessionProcesses(this.#info.pid).end(graceMs) : Promise.resolve([]);
    return this.#ending;
  }

  /** Sends all clients away. */
  dismiss(code: number, reason: string): void {
    for (const client of [...this.#clients]) client.end(code, reason);
    this.#clients.clear();
    this.#pace();
  }

  #print(text: string): void {
    if (text === "") return;
    this.#scrollback.append(text);
    for (const client of this.#clients) client.print(text);
    this.#pace();
  }

  #type(client: TerminalClient, bytes: Buffer): void {
    if (!this.running) return;
    this.#process.write(bytes);
    if (this.#process.waiting > FULL_BYTES) client.holdInput();
  }

  #takeInput(): void {
    if (this.#process.waiting <= FULL_BYTES) for (const client of this.#clients) client.releaseInput();
  }

  /** `moved`: a client has taken something. */
  #pace(moved = false): void {
    const full = this.#clients.size > 0 && [...this.#clients].every(({ backlog }) => backlog > FULL_BYTES);
    if (!full) {
      clearTimeout(this.#stalled);
      this.#stalled = undefined;
      this.#process.resume();
    } else if (this.#stalled === undefined) {
      this.#process.pause();
      this.#stalled = setTimeout(() => this.dismiss(PtyClose.tooSlow, "takes no output"), STALLED_MS);
    } else if (moved) this.#stalled.refresh();
  }

  #exited(): void {
    for (const client of this.#clients) this.#tellEnd(client);
    this.#clients.clear();
    this.#pace();
  }

  #tellEnd(client: TerminalClient): void {
    const { exitCode = 0 } = this.#info;
    client.control({ cursor: this.#scrollback.cursor, exitCode });
    client.end(PtyClose.exited, "exited");
  }
}
