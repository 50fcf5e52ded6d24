// The stdin of a running command, written over streams that may break: every piece has its offset, so what is sent again is
// taken once (protocol.md, Stdin). A piece is kept until the command's pipe has taken it, which is also what slows the reading down.
import { StdinAnswer } from "../../protocol/command.js";
import { codeOf } from "../../protocol/errors.js";
import { pause } from "../waiting/abort.js";
import { isBroken } from "./broken.js";
import type { StubClient } from "./client.js";
import { type InputPiece, InputPieces } from "./input-pieces.js";
import { resumeDelay } from "./resume-delay.js";

/** Superseded: by what is left of our own request from before its stream broke, whose bytes are the same. */
const AGAIN = new Set(["stdin_superseded", "stub_draining"]);

/**
 * From byte 0 to the end of `input`, which ends the command's stdin. Resolves as well when the command takes no more: it has
 * ended, or reads no further. Rejects with what `input` throws (stdin stays open then), with `aborted`, and with what the stub
 * refuses. A connection that is away is waited for until `signal` says that nobody follows the command any more.
 */
export async function writeInput(
  client: StubClient,
  commandID: string,
  input: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  const pieces = new InputPieces(input, signal);
  try {
    for (let offset = 0; ; ) {
      const piece = await pieces.next();
      const closed = await writePiece(client, commandID, piece, offset, signal);
      if (closed) return;
      offset += piece.bytes.length;
    }
  } finally {
    pieces.close();
  }
}

/** True where nothing more is taken. */
async function writePiece(
  client: StubClient,
  commandID: string,
  { bytes, end }: InputPiece,
  offset: number,
  signal: AbortSignal,
): Promise<boolean> {
  const path = `/command/${commandID}/stdin?offset=${offset}${end ? "&end=1" : ""}`;
  for (let failures = 0; ; failures++) {
    try {
      const request = { method: "POST" as const, path, body: bytes, idempotent: true, signal };
      return (await client.json(StdinAnswer, request)).closed;
    } catch (error) {
      if (codeOf(error) === "stdin_closed") return true;
      if (!isBroken(error) && !AGAIN.has(codeOf(error) ?? "")) throw error;
      await pause(resumeDelay(failures), signal);
    }
  }
}
