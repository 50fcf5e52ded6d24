// The asks of one running command, which its helper holds (stub/native/helper/asks.h has what is spoken). This stub takes them to
// the user and brings the answers; should it end, the next one is told the same.
import type { Socket } from "node:net";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { type Static, Type } from "typebox";
import { Compile } from "typebox/compile";
import { PermissionID } from "../../protocol/ids.js";
import type { Ask } from "../../protocol/permission.js";
import { Access } from "../../protocol/workspace.js";
import { connectBeside } from "./beside.js";
import { SUFFIX } from "./files.js";

export const HeldAsk = Type.Object({
  id: PermissionID,
  /** Canonical real path. */
  path: Type.String(),
  kind: Type.Union([Type.Literal("directory"), Type.Literal("file")]),
  access: Access,
  /** The name of the process that waits. */
  program: Type.String(),
  operation: Type.String(),
});
export type HeldAsk = Static<typeof HeldAsk>;

const Told = Compile(Type.Union([HeldAsk, Type.Object({ id: PermissionID, withdrawn: Type.Literal(true) })]));

export interface HeldAnswer {
  allow: boolean;
  /** The path alone; its directory and what lies directly in it; all below that. */
  scope: "file" | "directory" | "tree";
}

/** The way to the user. */
export interface AskUser {
  /**
   * `show` tells those who follow the command of it, until what it gives is disposed of. Undefined where no answer is wanted any
   * more: `signal`, or this stub ends.
   */
  ask(
    command: { commandID: string; sessionID: string; workspaceID: string },
    ask: HeldAsk,
    signal: AbortSignal,
    show: (ask: Ask) => Disposable,
  ): Promise<HeldAnswer | undefined>;
  /** Aborted when this stub asks no more: what is pending is the next one's. */
  readonly ending: AbortSignal;
}

export interface HeldAsksOptions {
  base: string;
  ask(ask: HeldAsk, signal: AbortSignal): Promise<HeldAnswer | undefined>;
  ending: AbortSignal;
  /** The command waits for people now, or does no longer. */
  waits(isWaiting: boolean): void;
  warn(error: unknown, message: string): void;
}

interface Pending {
  /** Aborted when nobody waits for it any more. */
  over: AbortController;
  answer?: HeldAnswer;
}

/** Another stub may have taken over: it is not driven out again at once. */
const AGAIN_MS = 1000;

export class HeldAsks {
  readonly #options: HeldAsksOptions;
  readonly #pending = new Map<string, Pending>();
  readonly #closing = new AbortController();
  #socket: Socket | undefined;

  constructor(options: HeldAsksOptions) {
    this.#options = options;
    options.ending.addEventListener("abort", this.#onEnding, { once: true });
    if (options.ending.aborted) this.close();
    void this.#serve();
  }

  /** The command is over, or this stub. Idempotent. */
  close(): void {
    this.#options.ending.removeEventListener("abort", this.#onEnding);
    this.#closing.abort();
    this.#socket?.destroy();
    for (const { over } of this.#pending.values()) over.abort();
    this.#pending.clear();
  }

  readonly #onEnding = () => this.close();

  /** Until nobody listens there any more. */
  async #serve(): Promise<void> {
    const { base, warn } = this.#options;
    while (!this.#closing.signal.aborted) {
      try {
        const socket = await connectBeside(base, SUFFIX.asks);
        if (socket === undefined) return;
        await this.#listen(socket);
      } catch (error) {
        warn(error, "the asks of a command cannot be heard; trying again");
      }
      await pause(AGAIN_MS, undefined, { ref: false });
    }
  }

  /** Until it is hung up. */
  async #listen(socket: Socket): Promise<void> {
    this.#socket = socket;
    if (this.#closing.signal.aborted) socket.destroy();
    socket.on("error", () => socket.destroy()); // the lines end with it
    try {
      for await (const line of createInterface({ input: socket, crlfDelay: Number.POSITIVE_INFINITY })) {
        const told: unknown = JSON.parse(line);
        if (!Told.Check(told)) throw new SyntaxError("not what a helper asks");
        if ("withdrawn" in told) this.#withdraw(told.id);
        else this.#take(told);
      }
    } finally {
      socket.destroy();
      this.#socket = undefined;
    }
  }

  /** It is told again on each connection. */
  #take(ask: HeldAsk): void {
    const known = this.#pending.get(ask.id);
    if (known?.answer !== undefined) this.#send(ask.id, known.answer);
    if (known !== undefined) return;
    const pending: Pending = { over: new AbortController() };
    this.#pending.set(ask.id, pending);
    if (this.#pending.size === 1) this.#options.waits(true);
    this.#options
      .ask(ask, pending.over.signal)
      .catch((error: unknown): HeldAnswer => {
        // a call must not wait for an answer that nobody was asked for
        this.#options.warn(error, "a running command could not be asked for: it is refused");
        return { allow: false, scope: "file" };
      })
      .then((answer) => {
        if (answer === undefined || this.#closing.signal.aborted) return;
        pending.answer = answer;
        this.#send(ask.id, answer);
      });
  }

  #withdraw(id: string): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.#pending.delete(id);
    pending.over.abort();
    if (this.#pending.size === 0) this.#options.waits(false);
  }

  /** The helper says then that it is over. */
  #send(id: string, { allow, scope }: HeldAnswer): void {
    this.#socket?.write(`${allow ? "allow" : "deny"} ${id} ${scope}\n`);
  }
}
