// The output of one shell request as text: both streams in the order in which they were seen, its middle dropped when it is long.
import { StringDecoder } from "node:string_decoder";
import type { Command } from "../commands/types.js";

const LIMIT = 1024 * 1024;
const CHUNK = 64 * 1024;
/** What a running part shows: the end of the output. */
const PREVIEW = 30_000;

export class ShellOutput {
  readonly #command: Command;
  readonly #offsets = { stdout: 0, stderr: 0 };
  readonly #decoders = { stdout: new StringDecoder("utf8"), stderr: new StringDecoder("utf8") };
  #head = "";
  #tail = "";
  #dropped = 0;
  #reading: Promise<void> = Promise.resolve();

  constructor(command: Command) {
    this.#command = command;
  }

  get truncated(): boolean {
    return this.#dropped > 0;
  }

  get text(): string {
    if (this.#dropped === 0) return this.#head + this.#tail;
    return `${this.#head}\n\n... (${this.#dropped} characters dropped) ...\n\n${this.#tail}`;
  }

  get preview(): string {
    const text = this.#head + this.#tail;
    return text.length <= PREVIEW ? text : `...${text.slice(-PREVIEW)}`;
  }

  /** Reads what the logs hold by now; calls are done one after the other. */
  catchUp(): Promise<void> {
    this.#reading = this.#reading.then(async () => {
      await this.#read("stdout");
      await this.#read("stderr");
    });
    return this.#reading;
  }

  async #read(stream: "stdout" | "stderr"): Promise<void> {
    const end = this.#command.record().output[stream];
    if (this.#offsets[stream] >= end) return;
    const log = this.#command.openLog(stream);
    try {
      const buffer = Buffer.allocUnsafe(CHUNK);
      while (this.#offsets[stream] < end) {
        const at = this.#offsets[stream];
        const piece = await log.readLater(buffer, 0, Math.min(CHUNK, end - at), at);
        if (piece === 0) return;
        if (typeof piece === "number") {
          this.#offsets[stream] += piece;
          this.#append(this.#decoders[stream].write(buffer.subarray(0, piece)));
        } else {
          this.#offsets[stream] = piece.last + 1;
          this.#append(this.#decoders[stream].end());
          this.#append(`\n\n... (bytes ${piece.first} to ${piece.last} of ${stream} dropped) ...\n\n`);
        }
      }
    } finally {
      log.close();
    }
  }

  #append(text: string): void {
    const half = LIMIT / 2;
    const room = half - this.#head.length;
    this.#head += text.slice(0, Math.max(room, 0));
    this.#tail += text.slice(Math.max(room, 0));
    const over = this.#tail.length - half;
    if (over <= 0) return;
    this.#dropped += over;
    this.#tail = this.#tail.slice(over);
  }
}
