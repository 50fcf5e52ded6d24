// What every command of the CLI is given; made once by main.ts, the only file that reads the process.
import type { Readable } from "node:stream";
import type { Remote } from "../compose.js";
import type { Globals, Invocation } from "./arguments.js";
import type { Interrupt } from "./interrupt.js";
import type { Progress } from "./progress.js";
import type { Terminal } from "./terminal.js";

export interface CliContext {
  invocation: Invocation;
  globals: Globals;
  env: Record<string, string | undefined>;
  home: string;
  /** Connects nothing before it is used. */
  remote: Remote;
  /** Another one, that asks nobody and shows nothing: for as long as another program has the terminal. To be closed by who made it. */
  unattended(): Remote;
  /** Resolves when the bytes are handed on, so that memory stays bounded. Rejects with `ReaderLeft` or `output_failed`. */
  write(stream: "stdout" | "stderr", data: Uint8Array | string): Promise<void>;
  /** Not touched before it is asked for: who does not read it leaves it to whoever shares it. */
  stdin(): Readable;
  progress: Progress;
  interrupt: Interrupt;
  /** Undefined where nobody can be asked. */
  terminal: Terminal | undefined;
  /** Called synchronously when the process ends, however that comes, until it is disposed. */
  atExit(callback: () => void): Disposable;
  /** Our own program, for the anchor's shell and the plugin's entry. */
  program: { execPath: string; cliPath: string; isBun: boolean; distDirectory: string };
}

/** Exit status. */
export type Command = (context: CliContext) => Promise<number>;
