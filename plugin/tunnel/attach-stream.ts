// `stub attach` on an exec channel as a stream: the way to the stub where sshd forbids forwarding.
import { Duplex } from "node:stream";
import { RemoteError } from "../../protocol/errors.js";
import { Conversation } from "../bootstrap/conversation.js";
import { hostScript } from "../bootstrap/script.js";
import type { ExecChannel, Transport } from "../ssh/transport.js";
import { throwIfAborted } from "../waiting/abort.js";

/** Throws `stub_missing` where no file is installed. */
export async function attach(
  transport: Transport,
  installRoot: string,
  socket: string,
  signal: AbortSignal,
): Promise<Duplex> {
  throwIfAborted(signal);
  const script = hostScript("attach", installRoot, { socket });
  // The caller's signal ends the opening; the stream then lives longer than that.
  const opening = new AbortController();
  const onAbort = () => opening.abort(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  const conversation = await Conversation.open(transport, script, opening.signal);
  try {
    const { channel, rest } = await conversation.handOver("ready");
    return new AttachStream(channel, rest);
  } catch (error) {
    await conversation[Symbol.asyncDispose]();
    throw error;
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

class AttachStream extends Duplex {
  readonly #channel: ExecChannel;
  #stderr = "";

  constructor(channel: ExecChannel, rest: Buffer) {
    super({ allowHalfOpen: true });
    this.#channel = channel;
    if (rest.length > 0) this.push(rest);
    channel.stdout.on("data", (chunk: Buffer) => {
      if (!this.push(chunk)) channel.stdout.pause();
    });
    channel.stdout.on("end", () => this.push(null));
    channel.stderr.on("data", (chunk: Buffer) => {
      this.#stderr = (this.#stderr + chunk.toString("utf8")).slice(-1024);
    });
    channel.closed.then(({ code }) => {
      // What is still to be read stays readable; a clean end was pushed with stdout's.
      if (code === 0 && !this.readableEnded) return this.once("end", () => this.destroy());
      if (code === 0) return this.destroy();
      const said = this.#stderr.trim();
      this.destroy(new RemoteError("connection_lost", `attach on the host ended${said ? `: ${said}` : ""}`));
    });
  }

  override _read(): void {
    this.#channel.stdout.resume();
  }

  override _write(chunk: Buffer, encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#channel.stdin.write(chunk, encoding, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#channel.stdin.end(() => done());
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#channel.close();
    done(error);
  }
}
