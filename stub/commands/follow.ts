// One HTTP answer that follows one command: `record`, then output as it comes, then `end`. Where all of it leaves at once
// there is no `record`: `end` says the same and more.
// Memory: at most what the response buffers plus one piece. While the client is slow nothing is queued; the log has it.
// Latency: the first frames wait for each other up to 20 ms, so that a quick command is one packet: head, output and end.
import type { ServerResponse } from "node:http";
import type { ByteRange, CommandRecord } from "../../protocol/command.js";
import { RemoteError } from "../../protocol/errors.js";
import { encodeFrame, FRAME_HEADER, FrameType, writeFrameHeader } from "../../protocol/frames.js";
import type { Ask, AskOver } from "../../protocol/permission.js";
import type { LogReader, Piece } from "./log-reader.js";
import type { OutputOffsets } from "./types.js";

/** What a follower needs of its command. */
export interface Followed {
  record(): CommandRecord;
  openLog(stream: "stdout" | "stderr"): LogReader;
  /** What it waits for. */
  readonly asks: Iterable<Ask>;
  /** True where the log may have to come from the disk. */
  readonly cold: boolean;
}

const PIECE = 64 * 1024;
const HEAD_DELAY_MS = 20;
const HEAD_BYTES = 16 * 1024;
const NAMES = ["stdout", "stderr"] as const;
const encoder = new TextEncoder();

export class Follow {
  readonly #response: ServerResponse;
  readonly #command: Followed;
  readonly #onClose: (follow: Follow) => void;
  readonly #sent: [number, number];
  readonly #logs: [LogReader, LogReader];
  /** How far the log is known to go; after the end: how far it goes. */
  #known: [number, number] = [0, 0];
  /** Frames before the head was sent; undefined after. */
  #waiting: Uint8Array[] | undefined = [];
  #waitingBytes = 0;
  #headTimer: NodeJS.Timeout | undefined;
  #isOpen = false;
  #blocked = false;
  #reading = false;
  /** As it was when the command was found; said with the head. */
  #first: CommandRecord | undefined;
  #last: CommandRecord | undefined;
  #finished = false;
  #buffer: Buffer | undefined;

  constructor(response: ServerResponse, command: Followed, from: OutputOffsets, onClose: (follow: Follow) => void) {
    this.#response = response;
    this.#command = command;
    this.#onClose = onClose;
    this.#sent = [from.stdout, from.stderr];
    this.#logs = [command.openLog("stdout"), command.openLog("stderr")];
    response.on("drain", () => {
      this.#blocked = false;
      this.#pump();
    });
    response.once("close", () => this.#close());
    response.on("error", () => this.#close());
  }

  /** The command runs (or is found): its record is the first frame. */
  open(): void {
    if (this.#isOpen || this.#finished) return;
    this.#isOpen = true;
    const record = this.#command.record();
    this.#known = [record.output.stdout, record.output.stderr];
    this.#response.statusCode = 200;
    this.#response.setHeader("content-type", "application/octet-stream");
    this.#response.setHeader("cache-control", "no-store");
    this.#first = record;
    this.#headTimer = setTimeout(() => this.#sendHead(), HEAD_DELAY_MS);
    for (const ask of this.#command.asks) this.ask(ask);
    this.#pump();
  }

  /** Bytes that just came, in memory. `data` is not kept. */
  output(stream: 0 | 1, offset: number, data: Uint8Array): void {
    if (this.#last !== undefined) return;
    this.#known[stream] = Math.max(this.#known[stream], offset + data.length);
    if (!this.#isOpen || this.#blocked || this.#reading || this.#sent[stream] !== offset) {
      this.#pump();
      return;
    }
    this.#sent[stream] += data.length;
    this.#write(encodeFrame({ id: 0, type: FrameType.output, stream, offset, payload: data }));
  }

  /** The command waits for its user: told at once, as one from then on is. */
  ask(ask: Ask): void {
    if (!this.#isOpen || this.#last !== undefined) return;
    this.#write(jsonFrame(FrameType.ask, ask));
    this.#sendHead();
  }

  askOver(over: AskOver): void {
    if (this.#isOpen && this.#last === undefined) this.#write(jsonFrame(FrameType.askOver, over));
  }

  /** The log goes on to `end`. */
  grew(stream: 0 | 1, end: number): void {
    if (this.#last !== undefined) return;
    this.#known[stream] = Math.max(this.#known[stream], end);
    this.#pump();
  }

  /** The command's answer: what the log holds up to here is sent, then this record. */
  end(record: CommandRecord): void {
    if (this.#last !== undefined || this.#finished) return;
    this.open();
    this.#last = record;
    this.#known = [record.output.stdout, record.output.stderr];
    this.#pump();
  }

  /** Nothing ran: a coded answer. After the head was sent (never, as nothing sends it before) the answer breaks off. */
  fail(error: RemoteError): void {
    if (this.#finished) return;
    if (this.#response.headersSent) {
      this.#response.destroy(error);
      return;
    }
    const body = JSON.stringify(error.toWire());
    this.#finished = true;
    clearTimeout(this.#headTimer);
    this.#response.statusCode = error.status;
    this.#response.setHeader("content-type", "application/json; charset=utf-8");
    this.#response.end(body);
  }

  #pump(): void {
    while (this.#isOpen && !this.#blocked && !this.#reading && !this.#finished) {
      const stream = this.#sent[0] < this.#known[0] ? 0 : this.#sent[1] < this.#known[1] ? 1 : undefined;
      if (stream === undefined) {
        if (this.#last !== undefined) this.#finish(this.#last);
        return;
      }
      this.#readPiece(stream);
    }
  }

  #readPiece(stream: 0 | 1): void {
    const offset = this.#sent[stream];
    const length = Math.min(PIECE, this.#known[stream] - offset);
    const bytes = this.#piece(FRAME_HEADER + length);
    const log = this.#logs[stream];
    if (!this.#command.cold) {
      try {
        this.#readPieceDone(stream, bytes, log.readNow(bytes, FRAME_HEADER, length, offset));
      } catch (error) {
        this.#readFailed(stream, error);
      }
      return;
    }
    this.#reading = true;
    log.readLater(bytes, FRAME_HEADER, length, offset).then(
      (piece) => {
        this.#reading = false;
        this.#readPieceDone(stream, bytes, piece);
        this.#pump();
      },
      (error: unknown) => this.#readFailed(stream, error),
    );
  }

  /** One buffer for the whole answer, as long as each piece has left before the next is read: garbage is memory, too. */
  #piece(length: number): Buffer {
    if (this.#waiting !== undefined || this.#response.writableLength > 0) return Buffer.allocUnsafeSlow(length);
    this.#buffer ??= Buffer.allocUnsafeSlow(FRAME_HEADER + PIECE);
    return this.#buffer.subarray(0, length);
  }

  #readPieceDone(stream: 0 | 1, bytes: Buffer, count: Piece): void {
    if (typeof count !== "number") {
      this.#tellGap(stream, count);
      return;
    }
    if (count === 0) {
      this.#readFailed(stream, new Error("the log is shorter than its record says"));
      return;
    }
    writeFrameHeader(bytes, { id: 0, type: FrameType.output, stream, offset: this.#sent[stream] }, count);
    this.#sent[stream] += count;
    this.#write(bytes.subarray(0, FRAME_HEADER + count));
  }

  /** The cap dropped these before they were read. */
  #tellGap(stream: 0 | 1, gap: ByteRange): void {
    this.#sent[stream] = gap.last + 1;
    this.#known[stream] = Math.max(this.#known[stream], this.#sent[stream]);
    this.#write(jsonFrame(FrameType.gap, gap, stream, gap.first));
  }

  #readFailed(stream: 0 | 1, cause: unknown): void {
    const error = new RemoteError("EIO", `the log of ${NAMES[stream]} cannot be read`, { cause });
    if (this.#response.headersSent) {
      this.#response.destroy(error);
      this.#close();
    } else this.fail(error);
  }

  #write(bytes: Uint8Array): void {
    if (this.#finished) return;
    if (this.#waiting === undefined) {
      this.#blocked = !this.#response.write(bytes);
      return;
    }
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    if (this.#waitingBytes >= HEAD_BYTES) this.#sendHead();
  }

  #sendHead(): void {
    clearTimeout(this.#headTimer);
    const waiting = this.#waiting;
    if (waiting === undefined || this.#finished) return;
    this.#waiting = undefined;
    this.#blocked = !this.#response.write(Buffer.concat([jsonFrame(FrameType.record, this.#first), ...waiting]));
  }

  #finish(record: CommandRecord): void {
    const last = jsonFrame(FrameType.end, record);
    const waiting = this.#waiting ?? [];
    this.#finished = true;
    this.#waiting = undefined;
    clearTimeout(this.#headTimer);
    this.#response.end(waiting.length > 0 ? Buffer.concat([...waiting, last]) : last);
  }

  #close(): void {
    this.#finished = true;
    clearTimeout(this.#headTimer);
    for (const log of this.#logs) log.close();
    this.#onClose(this);
  }
}

function jsonFrame(type: number, value: unknown, stream: 0 | 1 = 0, offset = 0): Uint8Array {
  return encodeFrame({ id: 0, type, stream, offset, payload: encoder.encode(JSON.stringify(value)) });
}
