// The record of one command as it becomes: what was asked for, then what its helper (or the disk) tells. No I/O, no timers.
import type { CommandRecord, DroppedOutput } from "../../protocol/command.js";
import { holeOf } from "./extent.js";
import { END_FLAG, type EndRecord, type RunMeta, type Settled, waitStatus } from "./files.js";
import type { LogMarks } from "./marks.js";

export class LiveRecord {
  readonly #record: CommandRecord;
  readonly #foreseen: Pick<RunMeta, "hidden" | "setuid">;
  /** The answer was given by a cancel, before the helper confirmed the end. */
  #cancelled = false;

  constructor(meta: RunMeta) {
    const { hidden, setuid } = meta;
    this.#foreseen = { ...(hidden === undefined ? {} : { hidden }), ...(setuid === undefined ? {} : { setuid }) };
    this.#record = {
      commandID: meta.commandID,
      sessionID: meta.sessionID,
      workspaceID: meta.workspaceID,
      title: meta.title,
      cwd: meta.cwd,
      state: "queued",
      exit: null,
      signal: null,
      timedOut: false,
      aborted: false,
      time: { created: meta.created },
      output: { stdout: 0, stderr: 0 },
      pending: 0,
      survivors: null,
      enforcement: meta.enforcement,
    };
  }

  get now(): Readonly<CommandRecord> {
    return this.#record;
  }

  get isCancelled(): boolean {
    return this.#cancelled;
  }

  snapshot(): CommandRecord {
    return { ...this.#record, time: { ...this.#record.time }, output: { ...this.#record.output } };
  }

  created(at: number): void {
    this.#record.time.created = at;
  }

  run(started: number): void {
    this.#record.time.started ??= started;
    if (this.#record.state === "queued") this.#record.state = "running";
  }

  /** The log goes to `end`. */
  grow(stream: 0 | 1, end: number): void {
    const { output } = this.#record;
    if (stream === 0) output.stdout = Math.max(output.stdout, end);
    else output.stderr = Math.max(output.stderr, end);
  }

  flag(reason: "abort" | "timeout"): void {
    if (reason === "timeout") this.#record.timedOut = true;
    else this.#record.aborted = true;
  }

  /** The caller is answered before the end is known. */
  cancel(at: number): void {
    this.#cancelled = true;
    this.#record.state = "killed";
    this.#record.time.ended = at;
  }

  end(end: EndRecord): void {
    const record = this.#record;
    const { exit, signal } = waitStatus(end.status);
    const killed = (end.flags & (END_FLAG.timedOut | END_FLAG.aborted)) !== 0;
    record.exit = exit;
    record.signal = signal;
    record.timedOut ||= (end.flags & END_FLAG.timedOut) !== 0;
    record.aborted ||= (end.flags & (END_FLAG.aborted | END_FLAG.leftovers)) !== 0;
    record.state = killed || signal !== null || this.#cancelled ? "killed" : "exited";
    record.time.started = end.started;
    record.time.ended = end.ended;
    this.grow(0, end.stdout);
    this.grow(1, end.stderr);
    this.#drop({ ...end.dropped, reason: end.errno === 0 ? "cap" : "disk" });
    record.pending = end.pending;
    this.#block(end);
    record.survivors = end.survivors;
    if (record.state === "exited" && exit !== 0) Object.assign(record, this.#foreseen);
  }

  /** Its helper died: nobody knows how it ended. */
  lose(at: number): void {
    this.#record.state = "lost";
    this.#record.time.ended = at;
  }

  settle(settled: Settled): void {
    this.#record.survivors = settled.survivors;
    this.#block(settled);
  }

  /** What the logs say where no end does. */
  marked(marks: LogMarks): void {
    this.#drop({ stdout: holeOf(marks[0]), stderr: holeOf(marks[1]), reason: "cap" });
  }

  #block({ blocked, blockedMore }: Pick<EndRecord, "blocked" | "blockedMore">): void {
    if (blocked !== undefined) this.#record.blocked = blocked;
    if (blockedMore) this.#record.blockedMore = blockedMore;
  }

  #drop(dropped: DroppedOutput): void {
    if (dropped.stdout !== null || dropped.stderr !== null) this.#record.output.dropped = dropped;
  }
}
