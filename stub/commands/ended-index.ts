// The list of ended commands: one line for each, appended some time after its end, so that a stub which starts need not read
// thousands of records, and a listing only those that it shows. It may miss some (a stub that was killed) or name some that are
// gone: the records are the truth, and what is missing is read from them once.
import { appendFile, readFile, writeFile } from "node:fs/promises";
import { type Static, Type } from "typebox";
import { Compile } from "typebox/compile";
import { CommandState } from "../../protocol/command.js";
import { codeOf } from "../../protocol/errors.js";
import { CommandID, SessionID, WorkspaceID } from "../../protocol/ids.js";

export const EndedCommand = Type.Object({
  commandID: CommandID,
  sessionID: SessionID,
  workspaceID: WorkspaceID,
  state: CommandState,
  created: Type.Integer(),
  ended: Type.Integer(),
  /** Of its files, about. */
  bytes: Type.Integer(),
});
export type EndedCommand = Static<typeof EndedCommand>;

const isEnded = Compile(EndedCommand);
/** From the first addition to the write of all that came meanwhile. */
const FLUSH_MS = 500;

export class EndedIndex {
  readonly #path: string;
  readonly #entries = new Map<string, EndedCommand>();
  #lines = 0;
  #unwritten = "";
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();
  readonly #onError: (error: unknown) => void;

  private constructor(path: string, onError: (error: unknown) => void) {
    this.#path = path;
    this.#onError = onError;
  }

  /** Lines that make no sense (a torn one) are passed over. `onError`: what it cannot write it does not keep. */
  static async open(path: string, onError: (error: unknown) => void): Promise<EndedIndex> {
    const index = new EndedIndex(path, onError);
    const text = await readFile(path, "utf8").catch((error: unknown) => {
      if (codeOf(error) !== "ENOENT") onError(error);
      return "";
    });
    for (const line of text.split("\n")) {
      if (line === "") continue;
      index.#lines += 1;
      const entry = parse(line);
      if (entry !== undefined) index.#entries.set(entry.commandID, entry);
    }
    // a last line without its end must not swallow the next one
    if (text !== "" && !text.endsWith("\n")) index.#unwritten = "\n";
    return index;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(commandID: string): EndedCommand | undefined {
    return this.#entries.get(commandID);
  }

  values(): IterableIterator<EndedCommand> {
    return this.#entries.values();
  }

  add(entry: EndedCommand): void {
    this.#entries.set(entry.commandID, entry);
    this.#unwritten += `${JSON.stringify(entry)}\n`;
    this.#lines += 1;
    this.#timer ??= setTimeout(() => void this.flush(), FLUSH_MS).unref();
  }

  delete(commandID: string): void {
    this.#entries.delete(commandID);
  }

  /** Writes what is waiting; the whole anew where most of it is about commands that are gone. Never rejects. */
  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#writing = this.#writing.then(() => this.#write()).catch(this.#onError);
    return this.#writing;
  }

  async #write(): Promise<void> {
    const text = this.#unwritten;
    this.#unwritten = "";
    if (this.#lines <= 2 * this.#entries.size + 1000) {
      if (text !== "") await appendFile(this.#path, text, { mode: 0o600 });
      return;
    }
    this.#lines = this.#entries.size;
    // not replaced at once: what a kill in the middle of this loses is read from the records
    const all = [...this.#entries.values()].map((entry) => `${JSON.stringify(entry)}\n`);
    await writeFile(this.#path, all.join(""), { mode: 0o600 });
  }
}

function parse(line: string): EndedCommand | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isEnded.Check(value) ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
