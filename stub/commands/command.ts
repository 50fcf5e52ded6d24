// One command as this stub knows it: queued -> running -> exited | killed | lost, then settled.
// Its helper does the work and reports; here the reports become the record, the answers of followers, and events.
import type { ServerResponse } from "node:http";
import { constants } from "node:os";
import type { CommandRecord, StdinAnswer } from "../../protocol/command.js";
import { RemoteError } from "../../protocol/errors.js";
import { type Frame, FrameType } from "../../protocol/frames.js";
import type { Ask } from "../../protocol/permission.js";
import { deferred } from "./deferred.js";
import { type Failed, startFailure } from "./failure.js";
import { type EndRecord, parseEnd, type RunFile, type RunMeta, readRunFile, type Settled } from "./files.js";
import { Followers } from "./followers.js";
import { type AskUser, HeldAsks } from "./held-asks.js";
import { LiveRecord } from "./live-record.js";
import { LogReader } from "./log-reader.js";
import { OutputEvent } from "./output-event.js";
import { type StdinInput, writeStdin } from "./stdin.js";
import { TimeLimit } from "./time-limit.js";
import type { Command, CommandEventType, CommandOutputProperties, OutputOffsets } from "./types.js";
import { DiskWatch, isAlive, lastHeardOf, lookAtDisk, noteDeath, type ProcessName } from "./watch.js";

/** What a command needs of the service that holds it. */
export interface CommandOwner {
  emit(type: CommandEventType, properties: CommandRecord | CommandOutputProperties): void;
  listening(): boolean;
  /** Asks the spawner, where this command is one of its own; false where it is not. */
  cancel(command: RunningCommand, reason: "abort" | "timeout"): boolean;
  /** Of this boot. */
  readonly boot: string;
  /** Undefined: asks of running commands go nowhere. */
  readonly askUser: AskUser | undefined;
  warn(error: unknown, message: string): void;
  /** The id was started by another stub: no spawner of ours knows it. */
  takenOver(command: RunningCommand): void;
  /** Nothing ran: the id is free again. */
  failed(command: RunningCommand): void;
  settled(command: RunningCommand): void;
}

const COLD_MS = 30_000;

export class RunningCommand implements Command {
  readonly commandID: string;
  readonly fingerprint: string;
  readonly started: Promise<void>;
  readonly done: Promise<CommandRecord>;
  readonly settled: Promise<CommandRecord>;
  readonly #owner: CommandOwner;
  readonly #base: string;
  readonly #hasStdin: boolean;
  readonly #record: LiveRecord;
  readonly #followers = new Followers();
  readonly #start = deferred<void>();
  readonly #done = deferred<CommandRecord>();
  readonly #settle = deferred<CommandRecord>();
  #phase: "queued" | "running" | "ended" | "settled" | "failed" = "queued";
  #helper: ProcessName | undefined;
  #limit: TimeLimit | undefined;
  #asks: HeldAsks | undefined;
  /** What it waits for, by id. */
  readonly #shown = new Map<string, Ask>();
  #outputEvent: OutputEvent | undefined;
  #watch: DiskWatch | undefined;
  #fromDisk = false;
  #submitted = false;

  constructor(owner: CommandOwner, base: string, meta: RunMeta) {
    this.#owner = owner;
    this.#base = base;
    this.commandID = meta.commandID;
    this.fingerprint = meta.fingerprint;
    this.#hasStdin = meta.stdin === "pipe";
    this.started = this.#start.promise;
    this.started.catch(() => undefined);
    this.done = this.#done.promise;
    this.settled = this.#settle.promise;
    this.#record = new LiveRecord(meta);
  }

  /** One that an earlier stub started: ended, or still running under its helper, or lost. */
  static fromDisk(owner: CommandOwner, base: string, file: RunFile): RunningCommand {
    const command = new RunningCommand(owner, base, file.meta);
    command.#takeFile(file);
    return command;
  }

  get isSettled(): boolean {
    return this.#phase === "settled" || this.#phase === "failed";
  }

  /** Runs, or somebody reads what it has printed. */
  get isInUse(): boolean {
    return !this.isSettled || this.#followers.size > 0;
  }

  /** False for one that was cancelled before the spawner knew it: nothing of it is on the disk. */
  get hasRecord(): boolean {
    return this.#submitted || this.#fromDisk;
  }

  get isRunning(): boolean {
    return this.#phase === "queued" || this.#phase === "running";
  }

  /** True until the helper reported something, good or bad. */
  get isQueued(): boolean {
    return this.#phase === "queued";
  }

  /** From here on the spawner knows it. */
  submitted(): void {
    this.#submitted = true;
  }

  get cold(): boolean {
    const { ended } = this.#record.now.time;
    return this.#fromDisk || (ended !== undefined && Date.now() - ended > COLD_MS);
  }

  record(): CommandRecord {
    return this.#record.snapshot();
  }

  /** What it waits for. */
  get asks(): Iterable<Ask> {
    return this.#shown.values();
  }

  openLog(stream: "stdout" | "stderr"): LogReader {
    return new LogReader(this.#base, stream === "stdout" ? 0 : 1);
  }

  follow(response: ServerResponse, from: OutputOffsets = { stdout: 0, stderr: 0 }): void {
    const follow = this.#followers.add(response, this, from);
    this.started.then(
      () => {
        if (this.#phase === "running") follow.open();
        else follow.end(this.record());
      },
      (error: RemoteError) => follow.fail(error),
    );
  }

  async write(input: StdinInput): Promise<StdinAnswer> {
    if (!this.#hasStdin) throw new RemoteError("stdin_none", `${this.commandID} has no stdin to write to`);
    await this.started;
    return writeStdin(this.#base, input);
  }

  /** The helper keeps the limit, stub or no stub; this timer is for the answer, which does not wait for the kill. */
  limit(timeoutMs: number): void {
    this.#limit = new TimeLimit(timeoutMs, () => this.cancel("timeout"));
  }

  cancel(reason: "abort" | "timeout"): CommandRecord {
    if (this.isSettled) return this.record();
    this.#record.flag(reason);
    const reached = this.#submitted && this.#owner.cancel(this, reason);
    if (!reached && this.#helper !== undefined && isAlive(this.#helper)) process.kill(this.#helper.pid, "SIGTERM");
    if (this.isRunning) {
      this.#record.cancel(Date.now());
      this.#answer();
    }
    if (!this.#submitted && !this.#fromDisk) this.#settleWith({ survivors: [] });
    return this.record();
  }

  // ---- what the helper reports -----------------------------------------------------------------------------------

  report(frame: Frame): void {
    switch (frame.type) {
      case FrameType.started:
        this.#reportStarted(frame.payload);
        break;
      case FrameType.output:
        this.#reportOutput(frame);
        break;
      case FrameType.grew:
        this.#grow(frame.stream, frame.offset);
        this.#followers.grew(frame.stream, frame.offset);
        break;
      case FrameType.end:
        this.#reportEnd(parseEnd(text(frame.payload)));
        break;
      case FrameType.failed: {
        const failed = JSON.parse(text(frame.payload)) as Failed;
        if (failed.stage === "log" && failed.errno === constants.errno.EEXIST) this.#takeOver();
        else this.fail(startFailure(failed, { program: this.#record.now.title, cwd: this.#record.now.cwd }));
        break;
      }
      case FrameType.settled: {
        this.#settleWith(JSON.parse(text(frame.payload)) as Settled);
        break;
      }
      case FrameType.asks:
        this.#hearAsks();
        break;
      case FrameType.gone:
        this.lookAgain();
    }
  }

  #show(ask: Ask): Disposable {
    this.#shown.set(ask.id, ask);
    this.#followers.ask(ask);
    return {
      [Symbol.dispose]: () => {
        this.#shown.delete(ask.id);
        this.#followers.askOver({ id: ask.id });
      },
    };
  }

  #hearAsks(): void {
    const { askUser } = this.#owner;
    if (this.isSettled || askUser === undefined) return;
    this.#asks ??= new HeldAsks({
      base: this.#base,
      ask: (ask, signal) => askUser.ask(this.#record.now, ask, signal, (shown) => this.#show(shown)),
      ending: askUser.ending,
      waits: (isWaiting) => (isWaiting ? this.#limit?.pause() : this.#limit?.resume()),
      warn: (error, message) => this.#owner.warn(error, message),
    });
  }

  /** Nothing ran. */
  fail(error: RemoteError): void {
    if (this.#record.isCancelled && !this.isSettled) this.#settleWith({ survivors: [] });
    if (this.#phase !== "queued") return;
    this.#phase = "failed";
    this.#clearTimers();
    this.#record.lose(Date.now());
    this.#record.settle({ survivors: [] });
    this.#start.reject(error);
    this.#followers.fail(error);
    this.#done.resolve(this.record());
    this.#settle.resolve(this.record());
    this.#owner.failed(this);
  }

  /** No more reports will come: what the disk says counts, and is watched as long as the helper lives. */
  lookAgain(): void {
    if (this.isSettled) return;
    if (this.#helper === undefined) {
      const file = readRunFile(this.#base);
      if (file === undefined) {
        this.fail(new RemoteError("spawn_failed", "the helper ended before it could start the command"));
        return;
      }
      this.#helper = file.process;
      this.#run();
    }
    this.#lookAtDisk();
  }

  /** Stops timers; the command itself goes on. */
  release(): void {
    this.#clearTimers();
  }

  /** The id was claimed before, by another stub or unseen by this one: the same command, if it is the same request. */
  #takeOver(): void {
    const file = readRunFile(this.#base);
    this.#submitted = false;
    this.#owner.takenOver(this);
    if (file?.meta.fingerprint === this.fingerprint) this.#takeFile(file);
    else this.fail(new RemoteError("command_conflict", `${this.commandID} is another command`));
  }

  #takeFile(file: RunFile): void {
    this.#fromDisk = true;
    this.#record.created(file.meta.created);
    this.#record.run(file.process.started);
    this.#helper = file.meta.boot === this.#owner.boot ? file.process : undefined;
    if (this.#phase === "queued") this.#phase = "running";
    this.#followers.open();
    this.#start.resolve();
    this.#lookAtDisk();
  }

  #reportStarted(payload: Uint8Array): void {
    const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
    this.#helper = { pid: view.getUint32(0, true), startTime: view.getBigUint64(8, true).toString() };
    this.#run();
  }

  #run(): void {
    if (this.#phase !== "queued") return;
    this.#phase = "running";
    this.#record.run(Date.now());
    this.#followers.open();
    this.#start.resolve();
    this.#owner.emit("command.started", this.record());
  }

  #reportOutput(frame: Frame): void {
    const end = frame.offset + frame.payload.length;
    this.#followers.output(frame.stream, frame.offset, frame.payload);
    this.#grow(frame.stream, end);
  }

  #reportEnd(end: EndRecord): void {
    const first = this.isRunning;
    this.#record.end(end);
    if (first) this.#answer();
  }

  /** The caller has its answer; the helper may still have work. */
  #answer(): void {
    this.#phase = "ended";
    this.#limit?.stop();
    const answer = this.record();
    this.#followers.end(answer);
    this.#start.resolve();
    this.#done.resolve(answer);
    this.#outputEvent?.cancel();
    this.#owner.emit("command.ended", answer);
  }

  #settleWith(settled: Settled): void {
    if (this.isSettled) return;
    if (this.isRunning) this.#answer();
    const isNews = this.#record.now.survivors === null;
    this.#record.settle(settled);
    this.#over();
    if (isNews) this.#owner.emit("command.settled", this.record());
  }

  #lose(): void {
    if (this.isRunning) {
      // at the first look at another stub's command it is unknown when that was
      const isSeen = !this.#fromDisk || this.#watch !== undefined;
      this.#record.lose(isSeen ? noteDeath(this.#base) : lastHeardOf(this.#base));
      this.#answer();
    }
    this.#over();
  }

  #over(): void {
    this.#phase = "settled";
    this.#clearTimers();
    this.#settle.resolve(this.record());
    this.#owner.settled(this);
  }

  /** Now, and again as long as it is not settled. */
  #lookAtDisk(): void {
    const { isAlive, file, ends, asks } = lookAtDisk(this.#base, this.#helper);
    for (const stream of [0, 1] as const) {
      this.#grow(stream, ends[stream]);
      this.#followers.grew(stream, ends[stream]);
    }
    if (file !== undefined) this.#record.marked(file.marks);
    const end = file?.end;
    if (end !== undefined) this.#reportEnd(end);
    if (end?.survivors) this.#settleWith({ ...end, survivors: end.survivors });
    else if (!isAlive) this.#lose();
    if (asks && isAlive) this.#hearAsks();
    if (!this.isSettled) this.#watch ??= new DiskWatch(() => this.#lookAtDisk());
  }

  #grow(stream: 0 | 1, end: number): void {
    const { output } = this.#record.now;
    if ((stream === 0 ? output.stdout : output.stderr) >= end) return;
    this.#record.grow(stream, end);
    if (this.#outputEvent?.isDue || this.#phase !== "running" || !this.#owner.listening()) return;
    this.#outputEvent ??= new OutputEvent(() => this.#emitOutput());
    this.#outputEvent.soon();
  }

  #emitOutput(): void {
    const { commandID, sessionID, workspaceID, output } = this.#record.now;
    const { stdout, stderr } = output;
    this.#owner.emit("command.output", { commandID, sessionID, workspaceID, stdout, stderr });
  }

  #clearTimers(): void {
    this.#limit?.stop();
    this.#asks?.close();
    this.#outputEvent?.cancel();
    this.#watch?.stop();
    this.#watch = undefined;
  }
}

function text(payload: Uint8Array): string {
  return Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString("utf8");
}
