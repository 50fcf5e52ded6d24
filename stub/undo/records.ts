// What is kept of the changes of sessions: `state/undo/<session>/<message>.json`, its changes in their order, and below `images/`
// the contents that were there before, named by their tags. Nothing is held in memory: another stub may take over at any time.
import { mkdir, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { type Static, Type } from "typebox";
import { Check } from "typebox/value";
import { codeOf } from "../../protocol/errors.js";
import { MessageID, WorkspaceID } from "../../protocol/ids.js";
import { inTurn } from "../files/in-turn.js";
import { removeDurably, writeAtomic } from "../state/atomic.js";
import { KeptState } from "./file-state.js";

/** `applied`: as the tool left it. `leaving`: being put back. `reverted`: put back. `idle`: somebody else had put it back. */
const Standing = Type.Enum(["applied", "leaving", "reverted", "idle"]);

const KeptChange = Type.Object({
  callID: Type.String(),
  path: Type.String(),
  before: KeptState,
  after: KeptState,
  made: Type.Array(Type.String()),
  standing: Standing,
});
export type KeptChange = Static<typeof KeptChange>;

const KeptMessage = Type.Object({
  version: Type.Literal(1),
  value: Type.Object({ workspaceID: WorkspaceID, changes: Type.Array(KeptChange) }),
});
export type KeptMessage = Static<typeof KeptMessage>["value"];

/** A change with its place. */
export interface PlacedChange extends KeptChange {
  messageID: string;
  index: number;
}

const SUFFIX = ".json";

export class Records {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  sessionDirectory(sessionID: string): string {
    return join(this.#directory, sessionID);
  }

  async sessionIDs(): Promise<string[]> {
    return (await namesIn(this.#directory)).filter((name) => name.startsWith("ses_"));
  }

  /** In the order of their ids. */
  async messageIDs(sessionID: string): Promise<string[]> {
    const names = await namesIn(this.sessionDirectory(sessionID));
    const ids = names.filter((name) => name.endsWith(SUFFIX)).map((name) => name.slice(0, -SUFFIX.length));
    return ids.filter((id) => Check(MessageID, id)).sort();
  }

  /** Everything of a session, oldest first. A file that cannot be read is set aside: its message has nothing to put back. */
  async changes(sessionID: string): Promise<PlacedChange[]> {
    const all: PlacedChange[] = [];
    for (const messageID of await this.messageIDs(sessionID)) {
      const { changes } = (await this.#read(sessionID, messageID)) ?? { changes: [] };
      all.push(...changes.map((change, index) => ({ ...change, messageID, index })));
    }
    return all;
  }

  /** Writes what `work` makes of a message; nothing left of it removes the file. `write`: as images have it. */
  async change(
    sessionID: string,
    messageID: string,
    workspaceID: string,
    work: (changes: KeptChange[]) => KeptChange[],
    write = writeAtomic,
  ): Promise<void> {
    const path = this.#path(sessionID, messageID);
    await inTurn(path, async () => {
      const before = (await this.#read(sessionID, messageID))?.changes ?? [];
      const changes = work(before);
      if (changes === before) return;
      if (changes.length === 0) return before.length === 0 ? undefined : await removeDurably(path);
      const value: KeptMessage = { workspaceID, changes };
      await mkdir(this.sessionDirectory(sessionID), { recursive: true, mode: 0o700 });
      await write(path, `${JSON.stringify({ version: 1, value })}\n`);
    });
  }

  async drop(sessionID: string): Promise<void> {
    await rm(this.sessionDirectory(sessionID), { recursive: true, force: true });
  }

  #path(sessionID: string, messageID: string): string {
    return join(this.sessionDirectory(sessionID), messageID + SUFFIX);
  }

  async #read(sessionID: string, messageID: string): Promise<KeptMessage | undefined> {
    const path = this.#path(sessionID, messageID);
    try {
      const text = await readFile(path, "utf8");
      const document: unknown = JSON.parse(text);
      if (Check(KeptMessage, document)) return (document as Static<typeof KeptMessage>).value;
    } catch (error) {
      if (codeOf(error) === "ENOENT") return undefined;
      if (!(error instanceof SyntaxError)) throw error;
    }
    // Damaged, or a newer stub's: out of use, not destroyed.
    await rename(path, `${path}.bad-${Date.now()}`);
    return undefined;
  }
}

/** Empty where the directory is missing. */
export async function namesIn(directory: string): Promise<string[]> {
  return readdir(directory).catch((error: unknown) => {
    if (codeOf(error) === "ENOENT") return [];
    throw error;
  });
}
