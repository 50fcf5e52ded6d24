// Things that survive a restart: one JSON file per id, with a schema version. Memory never holds what could not be saved.
import { mkdir, readdir, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import type { Static, TSchema } from "typebox";
import { Check } from "typebox/value";
import { fromSystem } from "../../protocol/errors.js";
import { removeDurably, writeAtomic } from "./atomic.js";

const VERSION = 1;

export interface StoreLog {
  warn(fields: object, message: string): void;
}

/** Ids must have passed their pattern (protocol/ids.ts): they name files. */
export class JsonStore<T extends TSchema> {
  readonly #directory: string;
  readonly #schema: T;
  readonly #log: StoreLog;
  readonly #values = new Map<string, Static<T>>();
  /** Writes of one id happen one after the other. */
  readonly #queues = new Map<string, Promise<unknown>>();

  private constructor(directory: string, schema: T, log: StoreLog) {
    this.#directory = directory;
    this.#schema = schema;
    this.#log = log;
  }

  /** Reads everything below `directory` (made 0700 if missing). What does not parse is renamed `*.bad-TIME` and reported. */
  static async open<T extends TSchema>(directory: string, schema: T, log: StoreLog): Promise<JsonStore<T>> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const store = new JsonStore(directory, schema, log);
    for (const name of await readdir(directory)) {
      if (name.endsWith(".json") && !name.startsWith(".")) await store.#load(name);
    }
    return store;
  }

  get(id: string): Static<T> | undefined {
    return this.#values.get(id);
  }

  values(): Static<T>[] {
    return [...this.#values.values()];
  }

  ids(): string[] {
    return [...this.#values.keys()];
  }

  /** Saves first, then shows it: when the save fails, memory and file are as they were. */
  set(id: string, value: Static<T>): Promise<void> {
    return this.#serialise(id, async () => {
      const text = `${JSON.stringify({ version: VERSION, value })}\n`;
      await writeAtomic(this.#path(id), text).catch((error: unknown) => {
        throw fromSystem(error, `could not save ${this.#path(id)}: ${reason(error)}`);
      });
      this.#values.set(id, value);
    });
  }

  delete(id: string): Promise<void> {
    return this.#serialise(id, async () => {
      await removeDurably(this.#path(id)).catch((error: unknown) => {
        throw fromSystem(error, `could not remove ${this.#path(id)}: ${reason(error)}`);
      });
      this.#values.delete(id);
    });
  }

  async #serialise(id: string, work: () => Promise<void>): Promise<void> {
    const before = this.#queues.get(id);
    const mine = (before ?? Promise.resolve()).then(work, work);
    this.#queues.set(id, mine);
    try {
      await mine;
    } finally {
      if (this.#queues.get(id) === mine) this.#queues.delete(id);
    }
  }

  async #load(name: string): Promise<void> {
    const path = join(this.#directory, name);
    const text = await readFile(path, "utf8");
    const value = parse(text, this.#schema);
    if (value !== undefined) {
      this.#values.set(name.slice(0, -".json".length), value);
      return;
    }
    const aside = `${path}.bad-${Date.now()}`;
    await rename(path, aside);
    this.#log.warn({ path, aside, bytes: text.length }, "a state file does not parse; it was set aside");
  }

  #path(id: string): string {
    return join(this.#directory, `${id}.json`);
  }
}

function parse<T extends TSchema>(text: string, schema: T): Static<T> | undefined {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  if (typeof document !== "object" || document === null) return undefined;
  const { version, value } = document as { version?: unknown; value?: unknown };
  return version === VERSION && Check(schema, value) ? (value as Static<T>) : undefined;
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
