// Standard input for a command on a host, as bytes.
import type { Readable } from "node:stream";
import { setTimeout } from "node:timers/promises";
import { RemoteError } from "../../protocol/errors.js";

/** An end and the signal that made it are told within this time of each other, milliseconds. */
const SIGNAL_MS = 50;

/**
 * Reads nothing before it is iterated. Throws `input_failed`: an end in its place would say that this was all. The same Ctrl-C
 * that ends us ends who writes to us (`tar c . | …`), and what it had written by then is not all either: such an end never comes.
 */
export async function* readInput(stdin: Readable, isInterrupted: () => boolean): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of stdin) yield chunk as Uint8Array;
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    throw new RemoteError("input_failed", `stdin: ${text}`, { cause: error });
  }
  await setTimeout(SIGNAL_MS);
  if (isInterrupted()) await new Promise(() => undefined);
}
