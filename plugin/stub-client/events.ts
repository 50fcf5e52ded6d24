// The stub's event stream, kept up: after a break it goes on behind the last event that was seen. Each event comes once; where some
// may be missing `onGap` says so. A consumer reads the state (GET /permission, GET /command…) at the first `onOpen` and at each gap.
import { createParser } from "eventsource-parser";
import { RemoteError } from "../../protocol/errors.js";
import { EventFrame, HEARTBEAT_SECONDS, StubGap } from "../../protocol/event.js";
import { pause } from "../waiting/abort.js";
import { isBroken } from "./broken.js";
import type { StubClient } from "./client.js";
import { hasShape } from "./shape.js";

/** A stream without even a heartbeat for this long is dead, in milliseconds. */
const SILENCE_LIMIT = 3 * HEARTBEAT_SECONDS * 1000;
/** Milliseconds before the next attempt, by failures in a row; the last repeats. */
const RECONNECT_DELAYS = [0, 250, 1000, 5000];

/** What the stub says of a gap; `unreadable`: one frame came in another shape than this plugin knows. */
export type EventGap = Omit<StubGap, "reason"> & { reason: StubGap["reason"] | "unreadable" };

export interface EventOptions {
  /** Only events of this workspace. */
  workspace?: string;
  /** Goes on behind this event. */
  lastEventID?: string;
  /** Events, in the stub's order; neither heartbeats nor what belongs to the stream itself. What it throws ends the following. */
  onEvent: (frame: EventFrame, id: string) => void;
  /** Events are missing here: what they would have told has to be read. */
  onGap: (gap: EventGap) => void;
  /** Each time the stream stands; the events behind this moment follow. */
  onOpen?: () => void;
  signal: AbortSignal;
}

/** Runs until the signal aborts; then it resolves. Rejects with what the stub refuses (`unauthorized`, `workspace_unknown`…). */
export async function followEvents(client: StubClient, options: EventOptions): Promise<void> {
  let last = options.lastEventID;
  let failures = 0;
  const onFrame = (data: string, id: string | undefined) => {
    const before = last;
    if (id) last = id;
    const frame = frameOf(data);
    const type = frame?.payload.type;
    // Not for the greeting: a stream that ends behind it each time must not be asked for again and again without a pause.
    if (type !== "server.connected") failures = 0;
    if (frame === undefined) {
      options.onGap({ reason: "unreadable", from: before ?? null, to: last ?? "", missed: 1 });
    } else if (type === "stub.gap") {
      const { properties } = frame.payload;
      if (hasShape(StubGap, properties)) options.onGap(properties);
      else options.onGap({ reason: "unreadable", from: before ?? null, to: last ?? "", missed: null });
    } else if (type === "server.connected") options.onOpen?.();
    else if (type !== "server.heartbeat") options.onEvent(frame, id ?? "");
  };
  while (!options.signal.aborted) {
    try {
      await readOnce(client, options, last, onFrame);
    } catch (error) {
      if (options.signal.aborted) return;
      if (!isBroken(error)) throw error;
    }
    const ms = RECONNECT_DELAYS[Math.min(failures, RECONNECT_DELAYS.length - 1)] ?? 0;
    failures += 1;
    // It rejects on an abort only, which ends the loop.
    await pause(ms, options.signal).catch(() => undefined);
  }
}

function frameOf(data: string): EventFrame | undefined {
  try {
    const frame: unknown = JSON.parse(data);
    return hasShape(EventFrame, frame) ? frame : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

async function readOnce(
  client: StubClient,
  options: EventOptions,
  last: string | undefined,
  onFrame: (data: string, id: string | undefined) => void,
): Promise<void> {
  const silence = new AbortController();
  const timer = setTimeout(() => silence.abort(), SILENCE_LIMIT);
  const decoder = new TextDecoder();
  const parser = createParser({ onEvent: ({ data, id }) => onFrame(data, id) });
  const headers: Record<string, string> = { accept: "text/event-stream" };
  if (last !== undefined) headers["last-event-id"] = last;
  const query = options.workspace === undefined ? "" : `?workspace=${encodeURIComponent(options.workspace)}`;
  try {
    await client.stream(
      {
        method: "GET",
        path: `/global/event${query}`,
        headers,
        signal: AbortSignal.any([options.signal, silence.signal]),
      },
      {
        data: (chunk) => {
          timer.refresh();
          parser.feed(decoder.decode(chunk, { stream: true }));
        },
      },
    );
  } catch (error) {
    if (!silence.signal.aborted) throw error;
    throw new RemoteError("connection_lost", `no heartbeat from ${client.link.host} for ${SILENCE_LIMIT / 1000} s`);
  } finally {
    clearTimeout(timer);
  }
}
