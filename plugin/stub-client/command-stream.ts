// A command from its request to its end over streams that may break: what was seen is never delivered twice, what was
// not seen is fetched from the host's log by its offset. The command itself does not notice.

import type { Static, TSchema } from "typebox";
import { ByteRange, CommandRecord, type CommandRequest } from "../../protocol/command.js";
import { RemoteError } from "../../protocol/errors.js";
import { type Frame, FrameType, frameReader } from "../../protocol/frames.js";
import { Ask, AskOver } from "../../protocol/permission.js";
import { pause } from "../waiting/abort.js";
import { isBroken } from "./broken.js";
import type { StubClient, StubRequest } from "./client.js";
import type { Flow } from "./exchange.js";
import { resumeDelay } from "./resume-delay.js";
import { hasShape } from "./shape.js";

export interface OutputPiece {
  stream: "stdout" | "stderr";
  /** Of the first byte, in its stream. */
  offset: number;
  /** Valid until the call (or the promise that it returned) is over. */
  data: Uint8Array;
}

export interface OutputGap {
  stream: "stdout" | "stderr";
  /** Offsets, both included. */
  first: number;
  last: number;
}

export interface FollowOptions {
  signal?: AbortSignal;
  /** The command is known to run: output is wanted behind these bytes. */
  from?: { stdout: number; stderr: number };
  /** In order, one call at a time. A promise slows the reading down. */
  onOutput?: (piece: OutputPiece) => void | Promise<void>;
  /** The host's log had dropped these bytes before they were sent; output goes on behind them. */
  onGap?: (gap: OutputGap) => void;
  /** The command waits for its user; again on each stream that is opened while it does. */
  onAsk?: (ask: Ask) => void;
  /** That ask waits for nobody any more. */
  onAskOver?: (permissionID: string) => void;
  /** The request leaves now: from here on the command may run. */
  onSent?: () => void;
  /** The host has accepted the command; called once. */
  onAccepted?: (record: CommandRecord) => void;
}

/** Attempts in a row that brought nothing new. */
const RESUME_LIMIT = 8;

/** Resolves with the record of the end. Throws what the stub refuses, and `connection_lost` once it cannot be found again. */
export function followCommand(
  client: StubClient,
  request: CommandRequest,
  options: Omit<FollowOptions, "from"> = {},
): Promise<CommandRecord> {
  return follow(client, request.commandID, request, options);
}

/** The rest of a command that was started before. */
export function resumeCommand(
  client: StubClient,
  commandID: string,
  options: FollowOptions & Required<Pick<FollowOptions, "from">>,
): Promise<CommandRecord> {
  return follow(client, commandID, undefined, options);
}

async function follow(
  client: StubClient,
  commandID: string,
  request: CommandRequest | undefined,
  options: FollowOptions,
): Promise<CommandRecord> {
  const reader = new OutputReader(options);
  for (let failures = 0; ; ) {
    const before = reader.progress;
    try {
      await attempt(client, commandID, request, reader, options.signal);
      if (reader.end === undefined) throw new RemoteError("internal", `${commandID} ended without a record`);
      return reader.end;
    } catch (error) {
      if (reader.failure !== undefined) throw reader.failure;
      if (!isBroken(error)) throw error;
      failures = reader.progress > before ? 0 : failures + 1;
      if (failures >= RESUME_LIMIT) throw error;
      await pause(resumeDelay(failures), options.signal);
    }
  }
}

/** The first request starts it; once it is accepted, output is fetched from the log behind what was seen. */
async function attempt(
  client: StubClient,
  commandID: string,
  request: CommandRequest | undefined,
  reader: OutputReader,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (!reader.accepted && request !== undefined) {
    const post: StubRequest = { method: "POST", path: "/command?follow=1", body: request, signal };
    return await reader.read(client, post);
  }
  const { stdout, stderr } = reader.seen;
  const path = `/command/${commandID}/output?follow=1&stdout=${stdout}&stderr=${stderr}`;
  await reader.read(client, { method: "GET", path, signal });
}

class OutputReader {
  readonly #options: FollowOptions;
  /** Bytes delivered, per stream. */
  readonly seen = { stdout: 0, stderr: 0 };
  accepted = false;
  /** Grows with everything that came. */
  progress = 0;
  end: CommandRecord | undefined;
  /** What `onOutput` threw: the caller's own error, not the connection's. */
  failure: unknown;

  constructor(options: FollowOptions) {
    this.#options = options;
    if (options.from === undefined) return;
    this.accepted = true;
    Object.assign(this.seen, options.from);
  }

  /** Reads one answer to its end. */
  async read(client: StubClient, request: StubRequest): Promise<void> {
    const waiting: Frame[] = [];
    let draining: Promise<void> | undefined;
    let problem: unknown;
    let flow: Flow | undefined;
    let ended = false;

    const take = (frame: Frame) => {
      if (frame.type === FrameType.end) ended = true;
      return this.#take(frame);
    };
    const drain = async (first: Promise<void>) => {
      flow?.pause();
      try {
        await first;
        for (let frame = waiting.shift(); frame !== undefined; frame = waiting.shift()) await take(frame);
        draining = undefined;
        flow?.resume();
      } catch (error) {
        problem = error;
        flow?.fail(error as Error);
      }
    };
    const feed = frameReader((frame) => {
      if (draining !== undefined) {
        waiting.push(frame);
        return;
      }
      const slow = take(frame);
      if (slow !== undefined) draining = drain(slow);
    });

    const data = (chunk: Uint8Array, given: Flow) => {
      flow = given;
      feed(chunk);
    };
    let broken: unknown;
    try {
      await client.stream(request, { sent: this.#options.onSent, data });
    } catch (error) {
      broken = error;
    }
    // What has arrived is delivered before anyone asks for more; an abort does not wait for a slow receiver.
    if (!request.signal?.aborted) await draining;
    if (problem !== undefined) throw problem;
    if (broken !== undefined && !(ended && isBroken(broken))) throw broken;
    if (!ended) throw new RemoteError("connection_lost", "the output of the command stopped before its end");
  }

  /** A promise only where the receiver wants time. */
  #take(frame: Frame): Promise<void> | undefined {
    this.progress += 1;
    const stream = frame.stream === 1 ? "stderr" : "stdout";
    if (frame.type === FrameType.output) return this.#output(frame, stream);
    if (frame.type === FrameType.record) this.#record(frame);
    else if (frame.type === FrameType.end) this.#end(parsed(CommandRecord, frame, "a command"));
    else if (frame.type === FrameType.gap) this.#gap(frame, stream);
    else if (frame.type === FrameType.ask) this.#options.onAsk?.(parsed(Ask, frame, "an ask"));
    else if (frame.type === FrameType.askOver) this.#options.onAskOver?.(parsed(AskOver, frame, "an ask's end").id);
    return undefined;
  }

  #output(frame: Frame, stream: "stdout" | "stderr"): Promise<void> | undefined {
    const seen = this.seen[stream];
    if (frame.offset > seen) {
      throw new RemoteError("connection_lost", `${stream} went from byte ${seen} to ${frame.offset}`);
    }
    const data = frame.payload.subarray(seen - frame.offset);
    if (data.length === 0) return undefined;
    this.seen[stream] = seen + data.length;
    try {
      const slow = this.#options.onOutput?.({ stream, offset: seen, data });
      return slow instanceof Promise ? slow.catch((error) => this.#fail(error)) : undefined;
    } catch (error) {
      return this.#fail(error);
    }
  }

  #fail(error: unknown): never {
    this.failure ??= error;
    throw error;
  }

  #record(frame: Frame): void {
    if (this.accepted) return;
    this.accepted = true;
    this.#options.onAccepted?.(parsed(CommandRecord, frame, "a command"));
  }

  #end(record: CommandRecord): void {
    this.end = record;
    if (this.accepted) return;
    // a quick command: accepted and ended in one
    this.accepted = true;
    this.#options.onAccepted?.(record);
  }

  /** Gone on the host; what follows is still in order. What was seen before the link broke is no gap. */
  #gap(frame: Frame, stream: "stdout" | "stderr"): void {
    const gap = parsed(ByteRange, frame, "a gap");
    const first = Math.max(gap.first, this.seen[stream]);
    if (first > gap.last) return;
    this.seen[stream] = gap.last + 1;
    this.#options.onGap?.({ stream, first, last: gap.last });
  }
}

function parsed<T extends TSchema>(schema: T, { payload }: Frame, what: string): Static<T> {
  const { buffer, byteOffset, byteLength } = payload;
  const value: unknown = JSON.parse(Buffer.from(buffer, byteOffset, byteLength).toString("utf8"));
  if (hasShape(schema, value)) return value;
  throw new RemoteError("internal", `the stub described ${what} in another shape than this plugin knows`);
}
