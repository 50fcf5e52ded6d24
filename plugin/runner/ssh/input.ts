// A command that is given an input: beside its output runs the writing, from when the host has accepted it until its end.

import { writeInput } from "../../stub-client/command-input.js";
import { linkAbort } from "../../stub-client/linked-abort.js";
import type { CommandResult } from "../runner.js";
import { type CommandWork, runCommand } from "./command.js";

/** As `runCommand`. Where the input cannot be read or written on, the command is cancelled and that failure thrown. */
export async function runWithInput(work: CommandWork, input: AsyncIterable<Uint8Array>): Promise<CommandResult> {
  using cancel = linkAbort(work.signal);
  using stop = linkAbort(cancel.signal, work.detach, work.closed);
  const failures: unknown[] = [];
  const write = async () => {
    try {
      await writeInput(work.client, work.commandID, input, stop.signal);
    } catch (error) {
      if (stop.signal.aborted) return; // it has ended, or nobody follows it any more
      failures.push(error);
      cancel.abort();
    }
  };
  try {
    const result = await runCommand({
      ...work,
      signal: cancel.signal,
      onAccepted: (record) => {
        if (record.time.ended === undefined) void write();
      },
    });
    if (failures.length === 0) return result;
  } catch (error) {
    if (failures.length === 0) throw error;
  } finally {
    stop.abort();
  }
  throw failures[0];
}
