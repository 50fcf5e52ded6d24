// The stub's event stream, kept up: after a break it goes on behind the last event that was seen.
import { createParser } from "eventsource-parser";
import { Check } from "typebox/value";
import { RemoteError } from "../../protocol/errors.js";
import { EventFrame, HEARTBEAT_SECONDS } from "../../protocol/event.js";
import { pause } from "../waiting/abort.js";
import { isBroken } from "./broken.js";
import type { StubClient } from "./client.js";

/** A stream without even a heartbeat for this long is dead, in milliseconds. */
const SILENCE_LIMIT = 3 * HEARTBEAT_SECONDS * 1000;
/** Milliseconds before the next attempt, by failures in a row; the last repeats. */
const RECONNECT_DELAYS = [0, 250, 1000, 5000];

export interface EventOptions {
  /** Only events of this workspace. */
  workspace?: string;
  /** Goes on behind this event. */
  lastEventID?: string;
  onEvent: (frame: EventFrame, id: string) => void;
  /** Each time the stream stands. */
  onOpen?: () => void;
  signal: AbortSignal;
}

/** Runs until the signal aborts; then it resolves. Rejects with what the stub refuses (`unauthorized`, `workspace_unknown`…). */
export async function followEvents(client: StubClient, options: EventOptions): Promise<void> {
  let last = options.lastEventID;
  let failures = 0;
  while (!options.signal.aborted) {
    try {
      await readOnce(client, options, last, (frame, id) => {
        failures = 0;
        if (id !== "") last = id;
        options.onEvent(frame, id);
      });
    } catch (error) {
      if (options.signal.aborted) return;
      if (!isBroken(error)) throw error;
    }
    const ms = RECONNECT_DELAYS[Math.min(failures, RECONNECT_DELAYS.length - 1)] ?? 0;
    await pause(ms, options.signal).catch(() => undefined);
    failures += 1;
  }
}

async function readOnce(
  client: StubClient,
  options: EventOptions,
  last: string | undefined,
  onEvent: (frame: EventFrame, id: string) => void,
): Promise<void> {
  const silence = new AbortController();
  const timer = setTimeout(() => silence.abort(), SILENCE_LIMIT);
  const decoder = new TextDecoder();
  const parser = createParser({
    onEvent: ({ data, id }) => {
      const frame: unknown = JSON.parse(data);
      if (Check(EventFrame, frame)) onEvent(frame, id ?? "");
    },
  });
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
        head: () => options.onOpen?.(),
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
