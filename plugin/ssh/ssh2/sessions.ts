// Session channels: running commands, and the one that is kept open.
// sshd leaves Nagle's algorithm on until it has seen a session run something: without it two answers close together
// take three round trips. The host may allow few of them (MaxSessions, refused with reason 2): then they queue.
import type { Client, ClientChannel } from "ssh2";
import { pause } from "../../waiting/abort.js";
import { abortedError, channelError, refusalReason } from "./errors.js";

/** Runs until its stdin ends; every shell has it. */
const KEEPER = "cat";
/** Refusals while no session of ours is open: pauses between attempts, milliseconds. */
const PAUSES = [50, 100, 200, 400];

/** A command that runs. `exit` is filled in when it is told, which may be in the same packet that opened the channel. */
export interface Session {
  channel: ClientChannel;
  exit: { code: number | null; signal: string | null };
  /** We have closed it: its place is ours no longer, even if the host keeps it. */
  release(): void;
}

export class Sessions {
  readonly #client: Client;
  readonly #active = new Set<object>();
  #waiting: (() => void)[] = [];
  #keeper: ClientChannel | undefined;

  constructor(client: Client) {
    this.#client = client;
  }

  /** Costs nothing beside other work; a host that refuses it is only slower. */
  keepOne(): void {
    this.#open(KEEPER).then(
      ({ channel }) => {
        this.#keeper = channel;
        channel.on("close", () => {
          if (this.#keeper === channel) this.#keeper = undefined;
        });
        // It carries nothing; that it is gone is seen by its close.
        channel.on("error", () => undefined);
        channel.resume();
        channel.stderr.resume();
      },
      () => undefined,
    );
  }

  /** Throws `channel_refused` or `aborted`; a lost connection is told by the caller. */
  async exec(command: string, signal?: AbortSignal): Promise<Session> {
    for (let refused = 0; ; ) {
      if (signal?.aborted) throw abortedError(signal);
      const slot = {};
      this.#active.add(slot);
      try {
        const opened = await this.#open(command);
        const release = () => this.#release(slot);
        opened.channel.once("close", release);
        return { ...opened, release };
      } catch (error) {
        this.#release(slot);
        const last = refused >= PAUSES.length;
        if (!(error instanceof Error) || refusalReason(error) !== 2 || last) throw asRefusal(error);
      }
      if (this.#keeper !== undefined) {
        this.#keeper.close();
        this.#keeper = undefined;
      } else if (this.#active.size > 0) {
        await this.#oneClosed(signal);
        continue;
      }
      await pause(PAUSES[refused++] ?? 0, signal);
    }
  }

  /** The connection is gone: who waits finds out by trying. */
  wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const each of waiting) each();
  }

  #release(slot: object): void {
    this.#active.delete(slot);
    this.wake();
  }

  #open(command: string): Promise<Omit<Session, "release">> {
    return new Promise((resolve, reject) => {
      this.#client.exec(command, (error, channel) => {
        if (error) {
          reject(error);
          return;
        }
        // at once, not after the promise: a short command's exit may stand in the same packet
        const exit: Session["exit"] = { code: null, signal: null };
        channel.on("exit", (code: number | null, name?: string) => {
          exit.code = code;
          exit.signal = name ?? null;
        });
        resolve({ channel, exit });
      });
    });
  }

  #oneClosed(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.#waiting = this.#waiting.filter((each) => each !== wake);
        reject(abortedError(signal));
      };
      const wake = () => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#waiting.push(wake);
    });
  }
}

function asRefusal(error: unknown): Error {
  return error instanceof Error ? channelError("to run a command", error) : new Error(String(error));
}
