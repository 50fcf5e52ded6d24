// A terminal on the host over connections that may break: what was seen is never delivered twice, what was missed comes from the
// host's scrollback by its cursor. The terminal itself does not notice.
import { type Static, Type } from "typebox";
import type { WebSocket } from "ws";
import { codeOf } from "../../protocol/errors.js";
import { decodeControl, Pty, PtyClose, PtyControl, type PtyCreate, type PtySize } from "../../protocol/pty.js";
import { pause } from "../waiting/abort.js";
import { isBroken } from "./broken.js";
import type { StubClient } from "./client.js";
import type { Asking } from "./files.js";
import { hasShape } from "./shape.js";

/** Milliseconds before the next attempt, by failures in a row; the last repeats. The link itself waits while it reconnects. */
const RECONNECT_DELAYS = [0, 100, 500, 1000, 2000];
/** Input that waits for the connection, in characters. */
const INPUT_LIMIT = 64 * 1024;

export interface PtyReceiver {
  /** In order. `lost`: characters before it that the host's scrollback no longer held. */
  data(text: string, lost: number): void;
  /** Once. Null: the terminal is gone and nobody knows how it ended (its stub was restarted). */
  exit(exitCode: number | null): void;
}

export async function createPty(client: StubClient, body: PtyCreate, asking: Asking): Promise<Pty> {
  const { workspace, onAsk, permissionID, signal } = asking;
  const query = new URLSearchParams({ onAsk, ...(permissionID === undefined ? {} : { permissionID }) });
  return client.json(Pty, { method: "POST", path: `/pty?${query}`, body, workspace, replayable: true, signal });
}

export class PtyConnection {
  readonly id: string;
  readonly #client: StubClient;
  readonly #workspace: string;
  readonly #receiver: PtyReceiver;
  readonly #closed = new AbortController();
  #socket: WebSocket | undefined;
  #cursor = 0;
  #input: string[] = [];
  #ended = false;

  constructor(client: StubClient, pty: Pick<Static<typeof Pty>, "id">, workspace: string, receiver: PtyReceiver) {
    this.id = pty.id;
    this.#client = client;
    this.#workspace = workspace;
    this.#receiver = receiver;
    void this.#run();
  }

  /** False: not taken, because too much waits for the connection already. */
  write(text: string): boolean {
    if (this.#ended || this.#closed.signal.aborted) return false;
    if (this.#socket !== undefined) {
      this.#socket.send(text);
      return true;
    }
    if (this.#input.reduce((sum, { length }) => sum + length, 0) + text.length > INPUT_LIMIT) return false;
    this.#input.push(text);
    return true;
  }

  async resize(size: PtySize, signal?: AbortSignal): Promise<void> {
    const path = `/pty/${this.id}`;
    const body = { size };
    await this.#client.json(Pty, { method: "PUT", path, body, workspace: this.#workspace, idempotent: true, signal });
  }

  /** Lets go of it; the terminal goes on. */
  leave(): void {
    this.#closed.abort();
    this.#socket?.terminate();
  }

  /** Ends the terminal and all its processes on the host. Idempotent. */
  async end(signal?: AbortSignal): Promise<void> {
    try {
      const path = `/pty/${this.id}`;
      const request = { method: "DELETE" as const, path, workspace: this.#workspace, replayable: true, signal };
      await this.#client.json(Type.Literal(true), request);
    } catch (error) {
      if (codeOf(error) !== "pty_unknown" && codeOf(error) !== "workspace_unknown") throw error;
    } finally {
      this.leave();
      this.#end(null);
    }
  }

  /** Never rejects: what cannot be mended is the terminal's end. */
  async #run(): Promise<void> {
    const { signal } = this.#closed;
    for (let failures = 0; !this.#ended && !signal.aborted; ) {
      const before = this.#cursor;
      try {
        if ((await this.#attempt()) === PtyClose.unknown) return this.#end(null);
      } catch (error) {
        if (signal.aborted) return;
        // A refusal: a plain request mends the token and the approver, or says why not.
        if (!isBroken(error) && !(await this.#isThere())) return this.#end(null);
      }
      failures = this.#cursor > before ? 0 : failures + 1;
      const ms = RECONNECT_DELAYS[Math.min(failures, RECONNECT_DELAYS.length) - 1] ?? 0;
      // Rejects when it is closed: the loop sees that itself.
      await pause(ms, signal).catch(() => undefined);
    }
  }

  async #isThere(): Promise<boolean> {
    const { signal } = this.#closed;
    const request = { method: "GET" as const, path: `/pty/${this.id}`, workspace: this.#workspace, signal };
    return this.#client.json(Pty, request).then(
      () => true,
      (error) => isBroken(error),
    );
  }

  /** One connection, to its end. Gives its close code. */
  async #attempt(): Promise<number> {
    const path = `/pty/${this.id}/connect?cursor=${this.#cursor}`;
    const socket = await this.#client.webSocket(path, this.#workspace, this.#closed.signal);
    return new Promise((resolve) => {
      // Where the replay began is known when its end is: it is delivered then, or never.
      let replay: string[] | undefined = [];
      socket.on("message", (data: Buffer, isBinary) => {
        if (!isBinary) {
          const text = data.toString("utf8");
          if (replay === undefined) this.#deliver(text, 0);
          else replay.push(text);
          return;
        }
        const control = decodeControl(data);
        if (!hasShape(PtyControl, control)) return;
        if (replay !== undefined) {
          const text = replay.join("");
          replay = undefined;
          this.#deliver(text, Math.max(0, control.cursor - text.length - this.#cursor));
          this.#cursor = control.cursor;
        }
        if (control.exitCode !== undefined) this.#end(control.exitCode);
      });
      // The close that follows tells enough.
      socket.on("error", () => undefined);
      socket.once("close", (code) => {
        this.#socket = undefined;
        resolve(code);
      });
      this.#socket = socket;
      for (const text of this.#input.splice(0)) socket.send(text);
      if (this.#closed.signal.aborted) socket.terminate();
    });
  }

  #deliver(text: string, lost: number): void {
    if (text === "" || this.#closed.signal.aborted) return;
    this.#cursor += lost + text.length;
    this.#receiver.data(text, lost);
  }

  #end(exitCode: number | null): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#receiver.exit(exitCode);
  }
}
