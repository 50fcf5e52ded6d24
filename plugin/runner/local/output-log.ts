// The output of a local command: read at the command's pace into files, delivered from them at the reader's.
import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { RunCommandRequest } from "../runner.js";

type Stream = "stdout" | "stderr";
const STREAMS: Stream[] = ["stdout", "stderr"];
const READ_SIZE = 64 * 1024;

export class OutputLog {
  readonly size = { stdout: 0, stderr: 0 };
  readonly #files: Record<Stream, number>;
  #ended = false;
  #wake: (() => void)[] = [];

  /** In a directory of its own, which its owner removes. */
  constructor(directory: string) {
    this.#files = {
      stdout: openSync(join(directory, "stdout"), "wx+", 0o600),
      stderr: openSync(join(directory, "stderr"), "wx+", 0o600),
    };
  }

  append(stream: Stream, chunk: Uint8Array): void {
    if (this.#ended) return;
    for (let done = 0; done < chunk.length; ) done += writeSync(this.#files[stream], chunk, done);
    this.size[stream] += chunk.length;
    this.#notify();
  }

  /** Nothing more is taken; readers finish. */
  end(): void {
    this.#ended = true;
    this.#notify();
  }

  /** Delivers everything from `from` to the end, waiting for what is still to come. `stopped` ends it early. */
  async deliver(
    onOutput: RunCommandRequest["onOutput"],
    stopped: () => boolean,
    from = { stdout: 0, stderr: 0 },
  ): Promise<void> {
    const seen = { ...from };
    for (;;) {
      let some = false;
      for (const stream of STREAMS) {
        const length = Math.min(READ_SIZE, this.size[stream] - seen[stream]);
        if (length === 0 || stopped()) continue;
        const data = new Uint8Array(length);
        readSync(this.#files[stream], data, 0, length, seen[stream]);
        await onOutput?.({ stream, offset: seen[stream], data });
        seen[stream] += length;
        some = true;
      }
      if (some) continue;
      if (this.#ended || stopped()) return;
      await new Promise<void>((resolve) => this.#wake.push(resolve));
    }
  }

  close(): void {
    this.end();
    for (const stream of STREAMS) closeSync(this.#files[stream]);
  }

  #notify(): void {
    const waiting = this.#wake;
    this.#wake = [];
    for (const wake of waiting) wake();
  }
}
