// One script on one exec channel: sends the text, reads the frames, and turns what went wrong into a coded error.
import type { Writable } from "node:stream";
import { isErrorCode, RemoteError } from "../../protocol/errors.js";
import type { ExecChannel, Transport } from "../ssh/transport.js";
import { abortError, orAborted, pause, throwIfAborted, withTimeout } from "../waiting/abort.js";
import { type Frame, type Frames, parseFrames } from "./frames.js";
import { watchLoss } from "./loss.js";
import { plainText } from "./plain-text.js";
import type { HostScript } from "./script.js";

/** More than any script of ours answers: an rc file that never stops printing must not fill memory. */
const MAX_OUTPUT = 4 * 1024 * 1024;
/** How long a script that has answered may take to end. */
const LINGER_MS = 2_000;
/** Between the end of a channel and the end of its connection, where that is the reason. */
const LOSS_MS = 20;
const STDERR_KEPT = 4 * 1024;

/** Runs a script that needs no more than its text; answers all its frames. Throws what the script's `error` frame says. */
export async function converse(
  transport: Transport,
  script: HostScript,
  options: { signal?: AbortSignal | undefined; timeoutMs: number },
): Promise<Frames> {
  const what = `the host did not answer within ${options.timeoutMs} ms (${script.name})`;
  using deadline = withTimeout(options.signal, options.timeoutMs, what);
  await using conversation = await Conversation.open(transport, script, deadline.signal);
  conversation.stdin.end();
  return await conversation.finish();
}

export class Conversation implements AsyncDisposable {
  readonly #channel: ExecChannel;
  readonly #loss: { lost: boolean };
  readonly #script: HostScript;
  readonly #signal: AbortSignal | undefined;
  #chunks: Buffer[] = [];
  #bytes = 0;
  #stderr = "";
  #failure: RemoteError | undefined;
  #ended = false;
  #wakers: (() => void)[] = [];

  /** Sends the text; stdin stays open. The channel is closed when `signal` aborts. */
  static async open(transport: Transport, script: HostScript, signal?: AbortSignal): Promise<Conversation> {
    throwIfAborted(signal);
    const loss = watchLoss(transport);
    const channel = await transport.exec("sh", signal);
    const conversation = new Conversation(channel, script, signal, loss);
    channel.stdin.write(script.text);
    return conversation;
  }

  private constructor(
    channel: ExecChannel,
    script: HostScript,
    signal: AbortSignal | undefined,
    loss: { lost: boolean },
  ) {
    this.#loss = loss;
    this.#channel = channel;
    this.#script = script;
    this.#signal = signal;
    channel.stdout.on("data", this.#onData);
    channel.stderr.on("data", (chunk: Buffer) => {
      this.#stderr = (this.#stderr + chunk.toString("utf8")).slice(-STDERR_KEPT);
    });
    // How the channel ends is told by `closed`; a write to a script that has ended already is no news.
    for (const stream of [channel.stdin, channel.stdout, channel.stderr]) stream.on("error", this.#notify);
    channel.stdout.once("end", this.#notify);
    signal?.addEventListener("abort", this.#onAbort, { once: true });
    channel.closed.then(({ code, signal: killedBy }) => this.#onClosed(code, killedBy));
  }

  get stdin(): Writable {
    return this.#channel.stdin;
  }

  /** The channel with what came behind the frame `name`, for a script that becomes something else. */
  async handOver(name: string): Promise<{ channel: ExecChannel; rest: Buffer }> {
    await this.waitFor(name);
    this.#channel.stdout.off("data", this.#onData);
    this.#channel.stdout.pause();
    this.#signal?.removeEventListener("abort", this.#onAbort);
    const output = Buffer.concat(this.#chunks);
    const marker = Buffer.from(`\n${this.#script.nonce}>${name} 0\n`);
    return { channel: this.#channel, rest: output.subarray(output.indexOf(marker) + marker.length) };
  }

  /** Resolves with the first frame of this name; rejects as soon as it can no longer come. */
  async waitFor(name: string): Promise<Frame> {
    for (;;) {
      const frames = this.#frames();
      const frame = frames.get(name);
      if (frame !== undefined) return frame;
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#ended) throw this.#failureOf(frames);
      await new Promise<void>((resolve) => {
        this.#wakers.push(resolve);
      });
    }
  }

  /** Resolves with all frames when the script has said `done`. */
  async finish(): Promise<Frames> {
    await this.waitFor("done");
    return this.#frames();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#channel.stdout.resume();
    // A script that has answered is about to end. Closing over its own end would let dropbear close twice, and the
    // second time hits the next channel, which has got the same number.
    if (!this.#ended && this.#failure === undefined && this.#channel.stdin.writableEnded) {
      using patience = withTimeout(undefined, LINGER_MS, "the script does not end");
      // Out of patience: it is closed all the same.
      await orAborted(this.#channel.closed, patience.signal).catch(() => undefined);
    }
    if (!this.#ended) this.#channel.close();
  }

  #frames(): Map<string, Frame> {
    const frames = parseFrames(Buffer.concat(this.#chunks), this.#script.nonce);
    if (frames.has("error")) throw this.#failureOf(frames);
    return frames;
  }

  #failureOf(frames: Frames): RemoteError {
    const error = frames.get("error")?.text;
    const log = frames.get("log")?.text.trim();
    if (error !== undefined) {
      const [code, ...words] = error.split(" ");
      const details = log === undefined ? undefined : { log: plainText(log) };
      return new RemoteError(isErrorCode(code) ? code : "install_failed", plainText(words.join(" ")), { details });
    }
    const stdout = plainText(Buffer.concat(this.#chunks).toString("utf8").slice(-STDERR_KEPT)).trim();
    const stderr = plainText(this.#stderr).trim();
    const said = (stderr || stdout).split("\n").at(-1)?.trim();
    return new RemoteError("install_failed", `the host's shell ended without an answer${said ? `: ${said}` : ""}`, {
      hint: "the account must be able to run sh: try ssh HOST sh",
      details: { script: this.#script.name, stdout, stderr },
    });
  }

  readonly #notify = (): void => {
    for (const wake of this.#wakers.splice(0)) wake();
  };

  readonly #onData = (chunk: Buffer): void => {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes > MAX_OUTPUT) {
      this.#fail(
        new RemoteError("install_failed", "the host prints without end before it answers", {
          hint: "check the rc files of the login shell there",
        }),
      );
    }
    this.#notify();
  };

  readonly #onAbort = (): void => {
    if (this.#signal !== undefined) this.#fail(abortError(this.#signal));
  };

  #fail(error: RemoteError): void {
    this.#failure ??= error;
    this.#channel.close();
    this.#notify();
  }

  async #onClosed(code: number | null, killedBy: string | null): Promise<void> {
    if (!this.#channel.stdout.readableEnded && !this.#channel.stdout.destroyed) {
      const end = new Promise<void>((resolve) => {
        for (const event of ["end", "close", "error"]) this.#channel.stdout.once(event, () => resolve());
      });
      using patience = withTimeout(undefined, 1000, "no end of stdout");
      // Out of patience: what has come is what there is.
      await orAborted(end, patience.signal).catch(() => undefined);
    }
    // A channel is told of the end of its connection before we are.
    if (code === null && killedBy === null) await pause(LOSS_MS);
    if (this.#loss.lost) {
      this.#failure ??= new RemoteError("connection_lost", `the connection was lost (${this.#script.name})`);
    }
    this.#ended = true;
    this.#notify();
  }
}
