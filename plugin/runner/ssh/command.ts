// One command of a session: asks, live output, the end, and what an abort means.
import type { CommandRecord, CommandRequest } from "../../../protocol/command.js";
import { codeOf, RemoteError } from "../../../protocol/errors.js";
import type { StubClient } from "../../stub-client/client.js";
import { type FollowOptions, followCommand } from "../../stub-client/command-stream.js";
import { linkAbort } from "../../stub-client/linked-abort.js";
import type { CommandResult, OutputChunk } from "../runner.js";
import { defined } from "./defined.js";

/** An abort is answered within this time, in milliseconds, over a connection that stands; the cancel goes on behind it. */
const ABORT_ANSWER_MS = 1000;

export interface CommandWork {
  client: StubClient;
  commandID: string;
  signal?: AbortSignal;
  /** As `RunCommandRequest.detach`. */
  detach?: AbortSignal;
  /** Our side is closed: the command goes on, nobody listens. */
  closed: AbortSignal;
  onOutput?: (chunk: OutputChunk) => void | Promise<void>;
  /** What it asks while it runs. */
  asks: Pick<FollowOptions, "onAsk" | "onAskOver">;
  /** The host has it; called once, with its end where it was quick. */
  onAccepted?: (record: CommandRecord) => void;
  /** Calls `follow` with the request, again after each answered ask. `signal` ends asks, not the request. */
  start(follow: (request: CommandRequest) => Promise<CommandRecord>): Promise<CommandRecord>;
}

/**
 * Resolves with the end. An abort cancels the command on the host and resolves at once, flagged `aborted`; where the
 * command had not been accepted yet it throws `aborted`, and what may still arrive at the host is cancelled there.
 */
export async function runCommand(work: CommandWork): Promise<CommandResult> {
  const { client, signal, detach } = work;
  const stop = linkAbort(work.closed, detach);
  let sent = false;
  let missed = 0;
  let record: CommandRecord | undefined;
  let accept: () => void = () => undefined;
  const accepted = new Promise<void>((resolve) => {
    accept = resolve;
  });

  const running = work.start((request) => {
    sent = false;
    if (signal?.aborted) throw new RemoteError("aborted", "aborted before it was sent", { cause: signal.reason });
    return followCommand(client, request, {
      signal: stop.signal,
      onSent: () => {
        sent = true;
      },
      onOutput: (piece) => (signal?.aborted ? undefined : work.onOutput?.(piece)),
      ...work.asks,
      onGap: ({ first, last }) => {
        missed += last - first + 1;
      },
      onAccepted: (first) => {
        record = first;
        accept();
        work.onAccepted?.(first);
      },
    });
  });
  const free = () => stop[Symbol.dispose]();
  running.then(free, free);
  const aborted = signal === undefined ? undefined : abortOf(signal);
  try {
    const first = await (aborted === undefined ? running : Promise.race([running, aborted.promise]));
    if (first !== undefined) return toResult(first, missed);
  } catch (error) {
    if (detach?.aborted && !signal?.aborted) throw detach.reason;
    throw error;
  } finally {
    aborted?.dispose();
  }
  if (!sent) {
    stop.abort();
    return toResult(await running, missed);
  }

  const cancelled = cancelOnceKnown(client, work.commandID, running, accepted).finally(() => stop.abort());
  const answer = client.link.state === "ready" ? await Promise.race([cancelled, limit(ABORT_ANSWER_MS)]) : undefined;
  const last = answer ?? record;
  if (last === undefined) {
    const { commandID } = work;
    throw new RemoteError("aborted", `aborted before ${client.link.host} had answered: ${commandID} may run there`, {
      hint: "it is cancelled as soon as the connection is back",
      details: { commandID },
    });
  }
  return { ...toResult(last, missed), aborted: true, ...(answer === undefined ? { cancelUnconfirmed: true } : {}) };
}

/** A cancel that overtakes the request itself would find nothing: it waits until the command is known, or will never be. */
async function cancelOnceKnown(
  client: StubClient,
  commandID: string,
  running: Promise<CommandRecord>,
  accepted: Promise<void>,
): Promise<CommandRecord | undefined> {
  const over = running.then(
    () => undefined,
    () => undefined,
  );
  await Promise.race([accepted, over]);
  try {
    return await client.cancel(commandID);
  } catch (error) {
    if (codeOf(error) === "command_unknown") return undefined;
    // The connection is gone for good: the answer that was given stands.
    return undefined;
  }
}

export function toResult(record: CommandRecord, missedBytes: number): CommandResult {
  const startedAt = record.time.started ?? record.time.created;
  return {
    commandID: record.commandID,
    state: record.state,
    exit: record.exit,
    signal: record.signal,
    timedOut: record.timedOut,
    aborted: record.aborted,
    startedAt,
    endedAt: record.time.ended ?? startedAt,
    stdoutBytes: record.output.stdout,
    stderrBytes: record.output.stderr,
    missedBytes,
    pending: record.pending,
    survivors: record.survivors,
    enforcement: record.enforcement,
    ...defined({ blocked: record.blocked, hidden: record.hidden, setuid: record.setuid }),
  };
}

function abortOf(signal: AbortSignal): { promise: Promise<undefined>; dispose(): void } {
  let onAbort: () => void = () => undefined;
  const promise = new Promise<undefined>((resolve) => {
    onAbort = () => resolve(undefined);
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
  });
  return { promise, dispose: () => signal.removeEventListener("abort", onAbort) };
}

function limit(ms: number): Promise<undefined> {
  return new Promise((resolve) => {
    setTimeout(() => resolve(undefined), ms).unref();
  });
}
