// Questions to the person at the terminal: on stderr and stdin, so that stdout stays the command's.
import { createInterface } from "node:readline";
import type { ReadStream } from "node:tty";
import { RemoteError } from "../../protocol/errors.js";

export interface Terminal {
  /** The line that was typed, without its end; undefined at the end of input. Throws `aborted`. */
  line(question: string, signal?: AbortSignal): Promise<string | undefined>;
  /** The same without an echo; undefined also for Ctrl-C. */
  secret(question: string): Promise<string | undefined>;
}

export interface TerminalOptions {
  input: ReadStream;
  write: (text: string) => void;
  /** Ctrl-C while the terminal is ours and makes no signal of it. */
  interrupted: () => void;
}

const CTRL_C = "\u0003";
const CTRL_D = "\u0004";
const ENTER = ["\r", "\n"];
const BACKSPACE = ["\u007f", "\b"];

export function openTerminal({ input, write, interrupted }: TerminalOptions): Terminal {
  const line = (question: string, signal?: AbortSignal) =>
    new Promise<string | undefined>((resolve, reject) => {
      const reader = createInterface({ input, terminal: false });
      let typed: string | undefined;
      const onAbort = () => {
        reader.close();
        reject(new RemoteError("aborted", "aborted"));
      };
      reader.once("line", (text) => {
        typed = text;
        reader.close();
      });
      reader.once("close", () => {
        signal?.removeEventListener("abort", onAbort);
        input.pause();
        resolve(typed);
      });
      write(question);
      if (signal?.aborted) onAbort();
      else signal?.addEventListener("abort", onAbort, { once: true });
    });

  const secret = (question: string) =>
    new Promise<string | undefined>((resolve) => {
      let typed = "";
      const finish = (answer: string | undefined) => {
        input.removeListener("data", onData);
        input.setRawMode(false);
        input.pause();
        write("\n");
        resolve(answer);
      };
      const onData = (data: Buffer) => {
        for (const key of data.toString("utf8")) {
          if (ENTER.includes(key)) return finish(typed);
          if (key === CTRL_C) interrupted();
          if (key === CTRL_C || key === CTRL_D) return finish(undefined);
          typed = BACKSPACE.includes(key) ? typed.slice(0, -1) : typed + key;
        }
      };
      write(question);
      input.setRawMode(true);
      input.on("data", onData);
      input.resume();
    });

  return { line, secret };
}
