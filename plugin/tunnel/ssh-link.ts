// A StubLink over one SSH connection: comes up when it is first wanted, comes back by itself when it was lost.
import type { Duplex } from "node:stream";
import { codeOf, RemoteError } from "../../protocol/errors.js";
import type { StubFile } from "../bootstrap/manifest.js";
import { registerApprover } from "../bootstrap/register-approver.js";
import type { HostsFile } from "../laptop/hosts-file.js";
import type { ConnectionState } from "../runner/runner.js";
import type { OpenTransport, ResolvedHost, Transport } from "../ssh/transport.js";
import { orAborted, pause, throwIfAborted, withTimeout } from "../waiting/abort.js";
import { AuthHold } from "./auth-hold.js";
import { type ConnectReport, reportOf } from "./connect-report.js";
import { HEALTH_TIMEOUT_MS, reconnectDelay } from "./constants.js";
import type { StubIdentity, StubLink } from "./link.js";
import { type Remembered, TunnelMemory } from "./memory.js";
import { describeState, Progress, type ProgressListener } from "./progress.js";
import { reachStub } from "./reach.js";
import { SpareStream } from "./spare-stream.js";
import { next, type TunnelEvent, type TunnelState } from "./state.js";
import { openWay } from "./way.js";

export interface SshLinkOptions {
  host: ResolvedHost;
  open: OpenTransport;
  connectTimeoutMs: number;
  keepaliveMs: number;
  /** Limit of the first answer of a stub, milliseconds. */
  healthTimeoutMs?: number;
  askPassphrase?: (identityFile: string) => Promise<string | undefined>;
  hosts: HostsFile;
  /** The file of this package; called when the link is first used. */
  stub: () => StubFile;
}

/** An openStream that meets a dead stub or a lost connection goes on as often as this. */
const STREAM_TRIES = 3;

export class SshLink implements StubLink {
  readonly host: string;
  readonly #options: SshLinkOptions;
  readonly #memory: TunnelMemory;
  readonly #progress = new Progress();
  readonly #closing = new AbortController();
  #state: TunnelState = { name: "idle" };
  #transport: Transport | undefined;
  #target: Remembered | undefined;
  readonly #spare = new SpareStream();
  readonly #hold = new AuthHold();
  #report: ConnectReport | undefined;
  /** The one attempt, or row of attempts, under way. */
  #work: Promise<void> | undefined;
  #refreshing: Promise<StubIdentity> | undefined;

  constructor(options: SshLinkOptions) {
    this.host = options.host.name;
    this.#options = options;
    this.#memory = new TunnelMemory(options.hosts, options.host);
  }

  get state(): ConnectionState {
    return this.#state.name;
  }

  /** Undefined before the first connect. */
  get report(): ConnectReport | undefined {
    return this.#report;
  }

  onProgress(listener: ProgressListener): { [Symbol.dispose](): void } {
    return this.#progress.listen(listener);
  }

  async ready(signal?: AbortSignal): Promise<StubIdentity> {
    for (;;) {
      await this.#ensure(signal);
      if (this.#target !== undefined) return this.#target.identity;
    }
  }

  async openStream(signal?: AbortSignal): Promise<Duplex> {
    for (let tries = 1; ; tries++) {
      await this.#ensure(signal);
      const spare = this.#spare.take();
      if (spare !== undefined) return spare;
      const transport = this.#transport;
      const target = this.#target;
      if (transport === undefined || target === undefined) continue;
      try {
        using deadline = withTimeout(signal, this.#options.connectTimeoutMs, `${this.host} opened no channel in time`);
        return await openWay(transport, target.way, target, deadline.signal);
      } catch (error) {
        throwIfAborted(signal);
        if (tries >= STREAM_TRIES || codeOf(error) === undefined) throw error;
        // The connection was lost meanwhile: the next round waits for it. Otherwise the stub is gone: look for it.
        if (this.#transport === transport && this.#target === target && this.#work === undefined) this.#repair();
      }
    }
  }

  async refresh(signal?: AbortSignal): Promise<StubIdentity> {
    this.#refreshing ??= this.#readAgain().finally(() => {
      this.#refreshing = undefined;
    });
    return await orAborted(this.#refreshing, signal);
  }

  async registerApprover(keyID: string, publicKey: Uint8Array, signal?: AbortSignal): Promise<void> {
    await this.#ensure(signal);
    if (this.#transport === undefined)
      throw new RemoteError("connection_lost", `the connection to ${this.host} is lost`);
    const { installRoot } = this.#options.host;
    await registerApprover(this.#transport, { installRoot, keyID, publicKey, signal });
    this.#memory.rememberApprover(keyID, this.#note);
  }

  async close(): Promise<void> {
    if (!this.#closing.signal.aborted) {
      this.#closing.abort(new RemoteError("aborted", `the link to ${this.host} was closed`));
      this.#move({ type: "closed" });
    }
    await this.#work?.catch(ignore);
    await this.#dropTransport();
    await this.#memory.settled();
  }

  /** Resolves when the state is ready, by whatever it takes. */
  async #ensure(signal: AbortSignal | undefined): Promise<void> {
    throwIfAborted(this.#closing.signal);
    throwIfAborted(signal);
    if (this.#work === undefined) {
      if (this.#state.name === "ready") return;
      if (this.#state.name === "failed" && this.#hold.active) throw this.#state.error;
      this.#move({ type: "wanted" });
      this.#begin("warm");
    }
    await orAborted(this.#work ?? Promise.resolve(), signal);
  }

  #repair(): void {
    this.#move({ type: "stubMissing" });
    this.#begin("cold");
  }

  async #readAgain(): Promise<StubIdentity> {
    await this.#work?.catch(ignore);
    throwIfAborted(this.#closing.signal);
    if (this.#state.name === "ready") {
      this.#repair();
    }
    return await this.ready();
  }

  #begin(how: "warm" | "cold"): void {
    const work = this.#run(how).finally(() => {
      if (this.#work === work) this.#work = undefined;
      // Lost between the proof and now: nobody else would begin again.
      if (this.#state.name === "reconnecting") this.#begin("warm");
    });
    // Whoever waits gets the error; nobody need wait.
    work.catch(ignore);
    this.#work = work;
  }

  /** Attempts until one succeeds or a person is needed. */
  async #run(first: "warm" | "cold"): Promise<void> {
    for (let how = first; ; how = "warm") {
      const state = this.#state;
      if (state.name === "reconnecting") await pause(reconnectDelay(state.attempt), this.#closing.signal);
      try {
        await this.#attempt(how);
        this.#hold.succeeded();
        this.#move({ type: "proved" });
        return;
      } catch (error) {
        await this.#dropTransport();
        throwIfAborted(this.#closing.signal);
        const failure = asRemoteError(error);
        this.#hold.failed(failure);
        this.#move({ type: "attemptFailed", error: failure });
        if (this.#state.name !== "reconnecting") throw failure;
      }
    }
  }

  async #attempt(how: "warm" | "cold"): Promise<void> {
    const began = performance.now();
    const stub = this.#options.stub();
    const [transport, known] = await Promise.all([
      this.#transport ?? this.#connect(),
      how === "warm" ? this.#memory.recall(stub.sha256, this.#note) : undefined,
    ]);
    const connected = performance.now();
    const reach = {
      transport,
      installRoot: this.#options.host.installRoot,
      stub,
      healthTimeoutMs: this.#options.healthTimeoutMs ?? HEALTH_TIMEOUT_MS,
      signal: this.#closing.signal,
      onProgress: this.#note,
    };
    const settled = await reachStub(reach, known, () => {
      if (this.#transport !== transport)
        throw new RemoteError("connection_lost", `lost the connection to ${this.host}`);
      this.#move({ type: "stubMissing" });
    });
    const isNew = this.#report === undefined;
    const { identity, root, way, stream } = settled.reached;
    this.#target = { identity, root, way };
    this.#report = reportOf(settled, began, connected);
    this.#spare.put(stream);
    this.#memory.remember(this.#target, stub.sha256, isNew, this.#note);
  }

  async #connect(): Promise<Transport> {
    const { host, open, connectTimeoutMs, keepaliveMs, askPassphrase } = this.#options;
    const signal = this.#closing.signal;
    const transport = await open(host, { signal, connectTimeoutMs, keepaliveMs, askPassphrase });
    if (signal.aborted) await transport.close();
    throwIfAborted(signal);
    this.#transport = transport;
    transport.onClose((reason) => this.#lost(transport, reason));
    return transport;
  }

  #lost(transport: Transport, reason: Error | undefined): void {
    if (this.#transport !== transport) return;
    this.#transport = undefined;
    this.#spare.drop();
    this.#move({ type: "lost", reason: reason?.message ?? "the connection was closed" });
    if (this.#work === undefined && this.#state.name === "reconnecting") this.#begin("warm");
  }

  async #dropTransport(): Promise<void> {
    const transport = this.#transport;
    this.#transport = undefined;
    this.#spare.drop();
    await transport?.close().catch(ignore);
  }

  #move(event: TunnelEvent): void {
    const before = this.#state;
    this.#state = next(before, event);
    if (this.#state !== before) this.#note(describeState(this.host, this.#state));
  }

  readonly #note = (text: string): void => {
    this.#progress.tell({ text, state: this.#state.name });
  };
}

function asRemoteError(error: unknown): RemoteError {
  if (error instanceof RemoteError) return error;
  const text = error instanceof Error ? error.message : String(error);
  return new RemoteError("internal", text, { cause: error, hint: "this is a defect of the plugin; please report it" });
}

function ignore(): void {
  // Seen by whoever waits for the same thing.
}
