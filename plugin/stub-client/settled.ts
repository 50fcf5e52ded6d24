// After a cancel: the answer comes at once, the confirmation that nothing of the command is left comes later.
import type { CommandRecord } from "../../protocol/command.js";
import { pause } from "../waiting/abort.js";
import type { StubClient } from "./client.js";

/** Milliseconds between two looks; a kill is confirmed after 2 s at most. */
const LOOK_MS = 100;

/** Resolves with the record once its `survivors` are known; rejects with `aborted`, `command_unknown`… */
export async function untilSettled(
  client: StubClient,
  commandID: string,
  signal?: AbortSignal,
): Promise<CommandRecord> {
  for (;;) {
    const record = await client.command(commandID, signal);
    if (record.survivors !== null) return record;
    await pause(LOOK_MS, signal);
  }
}
