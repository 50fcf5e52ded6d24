// Commands that this installation has in flight, one small file each: what is left when a process ended without their
// answer is found by the next one. A file is there from the start of a command until somebody has received its end; who it
// belongs to stands in it, so that no window takes what another one still waits for.
import { mkdir, readdir, readFile, rm, unlink } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { type Static, Type } from "typebox";
import { Check } from "typebox/value";
import writeFileAtomic from "write-file-atomic";
import { codeOf, ignoreMissing } from "../../protocol/errors.js";
import { CommandID, SessionID } from "../../protocol/ids.js";
import { processStart } from "./process-start.js";

export const InFlightCommand = Type.Object({
  commandID: CommandID,
  /** OpenCode's session. */
  sessionID: SessionID,
  host: Type.String(),
  /** What was to run, as one line for people. */
  title: Type.String(),
  /** Milliseconds since the epoch, by the laptop's clock. */
  started: Type.Integer(),
  /** The process that waits for it. */
  owner: Type.Object({ machine: Type.String(), pid: Type.Integer(), start: Type.String() }),
  /** The owner lives and waits no longer. */
  left: Type.Boolean(),
  /** It was told already that it still runs. */
  told: Type.Boolean(),
});
export type InFlightCommand = Static<typeof InFlightCommand>;

/** A command of another machine (a home on a network) cannot be judged; after this time it is nobody's, milliseconds. */
const FOREIGN_MS = 7 * 24 * 3600 * 1000;
const SUFFIX = ".json";

/** Below `$XDG_STATE_HOME/opencode-remote-ssh`. */
export function inFlightDirectory(stateDir: string): string {
  return join(stateDir, "in-flight");
}

export class InFlightJournal {
  readonly #directory: string;
  #owner: Promise<InFlightCommand["owner"]> | undefined;

  /** `directory`: ours, made when first needed (0700). */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Written beside the command's own way, which does not wait for it. What cannot be written costs the note, not the command. */
  begin(what: Pick<InFlightCommand, "commandID" | "sessionID" | "host" | "title">): InFlight {
    const started = Date.now();
    let written = this.#own()
      .then((owner) => this.#write({ ...what, started, owner, left: false, told: false }))
      .catch(ignore);
    const then = (next: () => Promise<void>) => {
      written = written.then(next).catch(ignore);
      return written;
    };
    return {
      end: () => then(() => rm(this.#file(what.commandID), { force: true })),
      leave: () =>
        then(async () => {
          await this.#write({ ...what, started, owner: await this.#own(), left: true, told: false });
        }),
    };
  }

  /** Those of a session (undefined: of all) that nobody waits for any more, oldest first. */
  async orphans(sessionID?: string): Promise<InFlightCommand[]> {
    const names = await readdir(this.#directory).catch(ignoreMissing);
    const found: InFlightCommand[] = [];
    for (const name of names ?? []) {
      if (!name.endsWith(SUFFIX)) continue;
      const entry = await this.#read(name);
      if (entry === undefined || (sessionID !== undefined && entry.sessionID !== sessionID)) continue;
      if (await isOrphan(entry)) found.push(entry);
    }
    return found.sort((one, other) => one.started - other.started);
  }

  /** Of several who try exactly one gets true: the story is that one's to tell. */
  async claim({ commandID }: InFlightCommand): Promise<boolean> {
    try {
      await unlink(this.#file(commandID));
      return true;
    } catch (error) {
      if (codeOf(error) === "ENOENT") return false;
      throw error;
    }
  }

  /** After a claim: it still runs, which was told; its end is to be told as well. */
  async putBack(entry: InFlightCommand): Promise<void> {
    await this.#write({ ...entry, owner: await this.#own(), left: true, told: true });
  }

  #own(): Promise<InFlightCommand["owner"]> {
    const { pid } = process;
    this.#owner ??= processStart(pid).then((start) => ({ machine: hostname(), pid, start: start ?? "" }));
    return this.#owner;
  }

  #file(commandID: string): string {
    return join(this.#directory, `${commandID}${SUFFIX}`);
  }

  async #write(entry: InFlightCommand): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    // No fsync: a laptop that loses its power has lost a note, and the host still has the command.
    await writeFileAtomic(this.#file(entry.commandID), JSON.stringify(entry), { mode: 0o600, fsync: false });
  }

  /** Undefined for what is gone meanwhile, and for what does not parse: that is removed, there is nothing to be told from it. */
  async #read(name: string): Promise<InFlightCommand | undefined> {
    const file = join(this.#directory, name);
    const text = await readFile(file, "utf8").catch(ignoreMissing);
    if (text === undefined) return undefined;
    const entry = parse(text);
    if (entry !== undefined && `${entry.commandID}${SUFFIX}` === name) return entry;
    await rm(file, { force: true });
    return undefined;
  }
}

export interface InFlight {
  /** Its end was received. Never rejects. */
  end(): Promise<void>;
  /** Nobody waits for it any more, though we live. Never rejects. */
  leave(): Promise<void>;
}

async function isOrphan({ owner, left, started }: InFlightCommand): Promise<boolean> {
  if (left) return true;
  if (owner.machine !== hostname()) return Date.now() - started > FOREIGN_MS;
  return (await processStart(owner.pid)) !== owner.start;
}

function parse(text: string): InFlightCommand | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return Check(InFlightCommand, value) ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function ignore(): void {
  // The state directory cannot be written: hosts.json says so already.
}
