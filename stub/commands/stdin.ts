// Writing to the stdin of a command that was started with a pipe there. The helper listens at base.stdin and counts what the
// command was given (stub/native/helper/input.h has the bytes), so it works the same after a restart of the stub.
import { existsSync } from "node:fs";
import type { Socket } from "node:net";
import { basename } from "node:path";
import type { StdinAnswer } from "../../protocol/command.js";
import { codeOf, RemoteError } from "../../protocol/errors.js";
import { connectBeside } from "./beside.js";
import { SUFFIX } from "./files.js";

export interface StdinInput {
  bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
  /** Of the first of them; undefined: behind what was taken. */
  offset: number | undefined;
  /** Stdin ends behind them. */
  end: boolean;
  signal: AbortSignal;
}

/** As INPUT_MAX of the helper. */
const PIECE = 65536;
const HEAD = 16;
const FLAG_END = 1;
const BEHIND = 0xffffffffffffffffn;
const STATE = { open: 0, ended: 1, readerGone: 2, gap: 3, superseded: 4 } as const;

/** Resolves when all of it was taken, at the pace of the command. */
export async function writeStdin(base: string, input: StdinInput): Promise<StdinAnswer> {
  const { signal } = input;
  signal.throwIfAborted();
  const socket = await connectBeside(base, SUFFIX.stdin);
  if (socket === undefined) throw lost(base, signal);
  const onAbort = () => socket.destroy();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    const answers = readAnswers(socket);
    let at = input.offset;
    const send = async (bytes: Uint8Array, end: boolean): Promise<StdinAnswer> => {
      socket.write(Buffer.concat([head(at, bytes.length, end), bytes]));
      const { value, done } = await answers.next();
      if (done) throw hungUp(base, signal);
      const wanted = at === undefined ? undefined : at + bytes.length;
      at = wanted ?? value.taken;
      return judge(value, wanted, end);
    };
    // where it stands now: the first piece of one without an offset begins there
    let last = await send(new Uint8Array(), false);
    at = input.offset ?? last.offset;
    for await (const chunk of input.bytes) {
      for (let from = 0; from < chunk.length; from += PIECE)
        last = await send(chunk.subarray(from, from + PIECE), false);
    }
    return input.end ? await send(new Uint8Array(), true) : last;
  } finally {
    signal.removeEventListener("abort", onAbort);
    socket.destroy();
  }
}

interface Told {
  taken: number;
  state: number;
}

/** Throws unless everything up to `wanted` was taken, now or by an earlier request. */
function judge({ taken, state }: Told, wanted: number | undefined, end: boolean): StdinAnswer {
  const details = { offset: taken };
  if (state === STATE.gap) throw new RemoteError("stdin_gap", `stdin was given ${taken} bytes`, { details });
  if (state === STATE.superseded) {
    throw new RemoteError("stdin_superseded", "another request writes to this stdin now", { details });
  }
  const isTaken = wanted === undefined || wanted <= taken;
  if (!isTaken || (end && state === STATE.ended && wanted !== taken)) {
    throw new RemoteError("stdin_closed", `stdin was closed after ${taken} bytes`, { details });
  }
  return { offset: taken, closed: state !== STATE.open };
}

function head(offset: number | undefined, length: number, end: boolean): Buffer {
  const bytes = Buffer.alloc(HEAD);
  bytes.writeBigUInt64LE(offset === undefined ? BEHIND : BigInt(offset), 0);
  bytes.writeUInt32LE(length, 8);
  bytes.writeUInt32LE(end ? FLAG_END : 0, 12);
  return bytes;
}

async function* readAnswers(socket: Socket): AsyncGenerator<Told, undefined> {
  let rest = Buffer.alloc(0);
  try {
    for await (const chunk of socket) {
      rest = Buffer.concat([rest, chunk as Buffer]);
      while (rest.length >= HEAD) {
        yield { taken: Number(rest.readBigUInt64LE(0)), state: rest.readUInt32LE(8) };
        rest = rest.subarray(HEAD);
      }
    }
  } catch (error) {
    if (codeOf(error) === undefined) throw error; // else: the helper is gone, which the caller sees
  }
  return undefined;
}

/** Nobody listens any more. */
function lost(base: string, signal: AbortSignal): RemoteError {
  if (signal.aborted) return new RemoteError("aborted", "the client is gone");
  return new RemoteError("stdin_closed", `${basename(base)} takes no more input`);
}

/** While it listens on, it hangs up only for the next writer; that it said so may be lost to what we were just sending. */
function hungUp(base: string, signal: AbortSignal): RemoteError {
  if (signal.aborted || !existsSync(`${base}${SUFFIX.stdin}`)) return lost(base, signal);
  return new RemoteError("stdin_superseded", "another request writes to this stdin now");
}
