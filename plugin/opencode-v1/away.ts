// Commands that went on while nobody waited for them: OpenCode was killed, or the connection was lost for too long. The
// session's next bash result says once that such a command still runs, and once how it ended and where its output is.
import type { InFlightCommand, InFlightJournal } from "../laptop/in-flight.js";
import type { CommandResult, RunnerSession } from "../runner/runner.js";
import type { SavedOutput } from "./saved-output.js";

/** What a result waits for news of other commands, milliseconds; later news come with the next result. */
const WAIT_MS = 5000;
/** Bytes of output that are fetched for the note. */
const FETCH_LIMIT = 64 * 1024 * 1024;
const TITLE_LIMIT = 200;

/** An orphan with what is to be said of it. */
interface News {
  entry: InFlightCommand;
  text: string;
  runs: boolean;
}

export interface AwayOptions {
  /** For messages. */
  host: string;
  journal: InFlightJournal;
  saved: SavedOutput;
}

export class AwayCommands {
  readonly #options: AwayOptions;

  constructor(options: AwayOptions) {
    this.#options = options;
  }

  /** Looks beside the call; `notes` gives what is known by its end. */
  look(session: RunnerSession, sessionID: string): { notes(): Promise<string[]> } {
    const stop = new AbortController();
    const ready: News[] = [];
    const looking = this.#look(session, sessionID, stop.signal, ready).catch(ignore);
    return {
      notes: async () => {
        let timer: NodeJS.Timeout | undefined;
        const late = new Promise<void>((resolve) => {
          timer = setTimeout(resolve, WAIT_MS);
        });
        await Promise.race([looking, late]);
        clearTimeout(timer);
        stop.abort();
        const told: string[] = [];
        for (const news of [...ready]) if (await this.#tell(news)) told.push(news.text);
        return told;
      },
    };
  }

  async #look(session: RunnerSession, sessionID: string, signal: AbortSignal, ready: News[]): Promise<void> {
    const { journal, host } = this.#options;
    for (const entry of await journal.orphans(sessionID)) {
      const result = await session.findCommand(entry.commandID, signal);
      const runs = result?.state === "running" || result?.state === "queued";
      if (runs && entry.told) continue;
      const when = entry.left ? "Meanwhile" : "While OpenCode was away";
      const what = `${when}: the command ${shorten(entry.title)} (${entry.commandID})`;
      const text =
        result === undefined
          ? `is not known on ${host}: it did not start there`
          : await this.#story(session, result, signal);
      ready.push({ entry, text: `${what} ${text}`, runs });
    }
  }

  async #story(session: RunnerSession, result: CommandResult, signal: AbortSignal): Promise<string> {
    const { host } = this.#options;
    const bytes = result.stdoutBytes + result.stderrBytes;
    if (result.state === "running" || result.state === "queued") {
      return `still runs on ${host}; ${bytes} bytes of output so far. Its end will be told`;
    }
    const path = bytes === 0 ? undefined : await this.#fetch(session, result.commandID, signal);
    const where =
      bytes === 0
        ? "no output"
        : path === undefined
          ? `${bytes} bytes of output`
          : `output at ${path} (for Read and Grep only)`;
    return `${howItEnded(result)}, ${where}`;
  }

  /** The whole output where the model can read it; undefined where it could not be had. */
  async #fetch(session: RunnerSession, commandID: string, signal: AbortSignal): Promise<string | undefined> {
    const saved = this.#options.saved.open(commandID);
    await saved.clear();
    const enough = new AbortController();
    const decoders = { stdout: new TextDecoder(), stderr: new TextDecoder() };
    let fetched = 0;
    try {
      await session.followCommand(commandID, {
        signal: AbortSignal.any([signal, enough.signal]),
        onOutput: async ({ stream, data }) => {
          fetched += data.length;
          await saved.write(decoders[stream].decode(data, { stream: true }));
          if (fetched >= FETCH_LIMIT) enough.abort();
        },
      });
    } catch (error) {
      if (!enough.signal.aborted) throw error;
    }
    return await saved.end();
  }

  /** False where another window was quicker. */
  async #tell({ entry, runs }: News): Promise<boolean> {
    const { journal } = this.#options;
    if (!(await journal.claim(entry))) return false;
    if (runs) await journal.putBack(entry);
    return true;
  }
}

function howItEnded({ state, exit, signal, timedOut, aborted }: CommandResult): string {
  if (state === "lost") return "was lost: whether it finished is not known";
  const flags = timedOut ? " after its time limit" : aborted ? " when it was aborted" : "";
  if (signal !== null) return `was ended by ${signal}${flags}`;
  return `finished with exit ${exit}${flags}`;
}

function shorten(title: string): string {
  const line = title.replace(/\s+/g, " ").trim();
  return `\`${line.length <= TITLE_LIMIT ? line : `${line.slice(0, TITLE_LIMIT)}…`}\``;
}

function ignore(): void {
  // The connection, most likely: the entries are still there, and the next result tells of them.
}
