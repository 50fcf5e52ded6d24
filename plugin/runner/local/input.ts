// The stdin of a command on this machine: a real pipe, as a host gives it. Node's own is a socket, with which bash takes
// itself for run from afar and reads ~/.bashrc.
import { execFileSync } from "node:child_process";
import { closeSync, openSync, rmSync } from "node:fs";
import { Socket } from "node:net";
import { join } from "node:path";
import type { Writable } from "node:stream";
import { pipeline } from "node:stream/promises";

export interface InputPipe {
  /** For the child; closed by whoever started it. */
  read: number;
  write: Writable;
}

export function openInputPipe(directory: string): InputPipe {
  const path = join(directory, "stdin");
  execFileSync("mkfifo", ["-m", "600", path]);
  // With this one open neither end waits for the other.
  const both = openSync(path, "r+");
  try {
    const read = openSync(path, "r");
    return { read, write: new Socket({ fd: openSync(path, "w"), readable: false, writable: true }) };
  } finally {
    closeSync(both);
    rmSync(path);
  }
}

export interface InputOptions {
  /** Aborted when the command has ended. */
  ended: AbortSignal;
  /** The input cannot be read; stdin stays open, for its end would say that this was all. */
  onFailure: (error: unknown) => void;
}

/** Writes at the command's pace, and ends it. A command that reads no more ends the reading. */
export function writeInput(
  input: AsyncIterable<Uint8Array>,
  write: Writable,
  { ended, onFailure }: InputOptions,
): void {
  async function* held() {
    try {
      yield* input;
    } catch (error) {
      onFailure(error);
      await new Promise((resolve) => ended.addEventListener("abort", resolve, { once: true }));
    }
  }
  pipeline(held, write, { signal: ended }).catch(() => {
    // It has ended or reads no more: nobody wants the rest.
  });
}
