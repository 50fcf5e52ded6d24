// An open connection behind the transport seam: channels of one ssh2 client, and the end of it all.
import type { Duplex, Readable, Writable } from "node:stream";
import type { Client, ClientChannel } from "ssh2";
import { RemoteError } from "../../../protocol/errors.js";
import type { ExecChannel, ResolvedHost, Transport } from "../transport.js";
import { ChannelInput, ChannelOutput, ChannelSocket } from "./channel.js";
import { abortedError, channelError, destinationOf, lostError } from "./errors.js";
import { type Session, Sessions } from "./sessions.js";
import { startWatchdog, type Watchdog } from "./watchdog.js";

type Stream = Readable | Writable;

export class Ssh2Transport implements Transport {
  readonly destination: string;
  readonly #host: ResolvedHost;
  readonly #client: Client;
  readonly #stream: Duplex;
  readonly #sessions: Sessions;
  readonly #watchdog: Watchdog;
  readonly #streams = new Set<Stream>();
  readonly #listeners: ((reason: Error | undefined) => void)[] = [];
  #failure: Error | undefined;
  #closing = false;
  #kept = false;
  #end: { reason: Error | undefined } | undefined;

  /** `client` is logged in over `stream`. */
  constructor(host: ResolvedHost, client: Client, stream: Duplex, keepaliveMs: number) {
    this.destination = destinationOf(host);
    this.#host = host;
    this.#client = client;
    this.#stream = stream;
    this.#sessions = new Sessions(client);
    this.#watchdog = startWatchdog(stream, keepaliveMs, () => {
      this.#failure = new Error("nothing was heard from it any more");
      stream.destroy();
    });
    client.on("error", (error) => {
      this.#failure ??= error;
    });
    client.on("close", () => this.#ended());
  }

  async exec(command: string, signal?: AbortSignal): Promise<ExecChannel> {
    const discardSession = (session: Session) => {
      discard(session.channel);
      session.release();
    };
    const session = await this.#opening(signal, () => this.#sessions.exec(command, signal), discardSession);
    this.#keepSession();
    return this.#execChannel(session, signal);
  }

  openSocket(path: string, signal?: AbortSignal): Promise<Duplex> {
    return this.#forward(`to connect to ${path}`, signal, (done) =>
      this.#client.openssh_forwardOutStreamLocal(path, done),
    );
  }

  openTcp(port: number, signal?: AbortSignal): Promise<Duplex> {
    return this.forwardTo("127.0.0.1", port, signal);
  }

  /** To another host, from there: what a jump is made of. */
  forwardTo(host: string, port: number, signal?: AbortSignal): Promise<Duplex> {
    return this.#forward(`to connect to ${host}:${port}`, signal, (done) =>
      this.#client.forwardOut("127.0.0.1", 0, host, port, done),
    );
  }

  onClose(listener: (reason: Error | undefined) => void): void {
    const end = this.#end;
    if (end === undefined) this.#listeners.push(listener);
    else queueMicrotask(() => listener(end.reason));
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.onClose(() => resolve());
      if (this.#end !== undefined || this.#closing) return;
      this.#closing = true;
      this.#client.end();
      // a host that does not answer must not hold us up
      this.#stream.destroy();
    });
  }

  /**
   * Right behind the first channel, never before it: until sshd has seen a session it holds a second small answer back until
   * the first is acknowledged. That is to be this one's, for which nobody waits.
   */
  #keepSession(): void {
    if (this.#kept) return;
    this.#kept = true;
    this.#sessions.keepOne();
  }

  #ended(): void {
    if (this.#end !== undefined) return;
    const reason = this.#closing ? undefined : lostError(this.#host, this.#failure);
    this.#end = { reason };
    this.#watchdog[Symbol.dispose]();
    const error = reason ?? new RemoteError("connection_lost", `the connection to ${this.destination} was closed`);
    for (const stream of this.#streams) stream.destroy(error);
    this.#sessions.wake();
    for (const listener of this.#listeners) listener(reason);
  }

  async #forward(
    what: string,
    signal: AbortSignal | undefined,
    open: (done: (error: Error | undefined, channel: ClientChannel) => void) => void,
  ): Promise<Duplex> {
    const channel = await this.#opening(
      signal,
      () =>
        new Promise<ClientChannel>((resolve, reject) => {
          open((error, opened) => (error ? reject(channelError(what, error)) : resolve(opened)));
          this.#keepSession();
        }),
      discard,
    );
    return this.#track(new ChannelSocket(channel));
  }

  /** What is opened after the caller has left is closed; a failure of a connection that is gone is its loss. */
  async #opening<T>(signal: AbortSignal | undefined, open: () => Promise<T>, late: (opened: T) => void): Promise<T> {
    if (signal?.aborted) throw abortedError(signal);
    const gone = this.#gone();
    if (gone !== undefined) throw gone;
    let opened: Promise<T>;
    try {
      opened = open();
    } catch (error) {
      throw this.#gone() ?? lostError(this.#host, error instanceof Error ? error : undefined);
    }
    const aborted = abortion(signal);
    try {
      return await Promise.race([opened, aborted.promise]);
    } catch (error) {
      // Its failure is told below, or comes after the caller has given up.
      opened.then(late, () => undefined);
      throw signal?.aborted ? error : (this.#gone() ?? error);
    } finally {
      aborted.dispose();
    }
  }

  #gone(): Error | undefined {
    if (this.#end !== undefined) return this.#end.reason ?? lostError(this.#host, new Error("it was closed"));
    return this.#stream.destroyed || this.#closing ? lostError(this.#host, this.#failure) : undefined;
  }

  #execChannel(session: Session, signal: AbortSignal | undefined): ExecChannel {
    const { channel, exit } = session;
    const stdin = this.#track(new ChannelInput(channel));
    const stdout = this.#track(new ChannelOutput(channel));
    const stderr = this.#track(new ChannelOutput(channel.stderr));
    let resolveClosed: (how: typeof exit) => void = () => undefined;
    const closed = new Promise<typeof exit>((resolve) => {
      resolveClosed = resolve;
    });
    const settle = () => {
      signal?.removeEventListener("abort", onAbort);
      session.release();
      stdin.destroy();
      resolveClosed(exit);
    };
    const end = (error?: Error) => {
      // best effort: a host may refuse signals, and some do not end a command whose channel is closed
      channel.signal("TERM");
      channel.close();
      for (const stream of [stdin, stdout, stderr]) stream.destroy(error);
      settle();
    };
    const onAbort = () => end(abortedError(signal));
    channel.once("close", settle);
    if (signal?.aborted) onAbort();
    else signal?.addEventListener("abort", onAbort, { once: true });
    return { stdin, stdout, stderr, closed, close: () => end() };
  }

  #track<S extends Stream>(stream: S): S {
    this.#streams.add(stream);
    stream.once("close", () => this.#streams.delete(stream));
    return stream;
  }
}

function discard(channel: ClientChannel): void {
  // Nobody uses it: its end is all that is wanted.
  channel.on("error", () => undefined);
  channel.resume();
  channel.stderr.resume();
  channel.close();
}

function abortion(signal: AbortSignal | undefined): { promise: Promise<never>; dispose(): void } {
  let onAbort: (() => void) | undefined;
  const promise = new Promise<never>((_, reject) => {
    onAbort = () => reject(abortedError(signal));
    signal?.addEventListener("abort", onAbort, { once: true });
  });
  // It may abort when nobody races against it any more.
  promise.catch(() => undefined);
  return {
    promise,
    dispose() {
      if (onAbort !== undefined) signal?.removeEventListener("abort", onAbort);
    },
  };
}
