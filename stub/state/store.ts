// Things that survive a restart: one JSON file per id, with a schema version. Memory never holds what could not be saved, and
// no file is destroyed because this stub cannot read it: what is damaged is set aside, what a newer stub wrote stays in its place.
import { mkdir, readdir, readFile, rename, unlink } from "node:fs/promises";
import { join } from "node:path";
import type { Static, TSchema } from "typebox";
import { Check } from "typebox/value";
import { codeOf, fromSystem, RemoteError } from "../../protocol/errors.js";
import type { Problems } from "../problems.js";
import { removeDurably, TEMPORARY, writeAtomic } from "./atomic.js";

const VERSION = 1;
const SUFFIX = ".json";
/** `<id>.json.bad-<milliseconds>` */
const ASIDE = /^(.+)\.json\.bad-\d+$/;
/** The host's trouble, not the file's. */
const NOT_THE_FILE = new Set(["EMFILE", "ENFILE", "ENOMEM"]);

export interface StoreLog {
  warn(fields: object, message: string): void;
}

export interface StoreContext {
  /** Waited for before each change; throws where this stub may not change anything any more. */
  mayChange?: (() => Promise<void>) | undefined;
  log: StoreLog;
  problems: Pick<Problems, "add">;
}

/** Ids must have passed their pattern (protocol/ids.ts): they name files. */
export class JsonStore<T extends TSchema> {
  readonly #directory: string;
  readonly #schema: T;
  readonly #context: StoreContext;
  readonly #values = new Map<string, Static<T>>();
  /** Written by a newer stub. */
  readonly #newer = new Set<string>();
  /** Something of theirs was set aside, now or by an earlier stub. */
  readonly #aside = new Set<string>();
  /** Writes of one id happen one after the other. */
  readonly #queues = new Map<string, Promise<unknown>>();

  #working = 0;

  private constructor(directory: string, schema: T, context: StoreContext) {
    this.#directory = directory;
    this.#schema = schema;
    this.#context = context;
  }

  /** Reads everything below `directory` (made 0700 if missing). */
  static async open<T extends TSchema>(directory: string, schema: T, context: StoreContext): Promise<JsonStore<T>> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const store = new JsonStore(directory, schema, context);
    for (const name of await readdir(directory)) {
      if (name.endsWith(SUFFIX) && !name.startsWith(".")) await store.#load(name.slice(0, -SUFFIX.length));
      else if (TEMPORARY.test(name)) await store.#sweep(name);
      else store.#seeAside(name);
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

  /** There is a file of this id that only a newer stub understands: it cannot be got, set or deleted. */
  isNewer(id: string): boolean {
    return this.#newer.has(id);
  }

  /** A file of this id was set aside: what depends on it is not to be thrown away. */
  wasSetAside(id: string): boolean {
    return this.#aside.has(id);
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

  /** Takes it out of use without destroying it. */
  setAside(id: string, why: string): Promise<void> {
    return this.#serialise(id, async () => {
      const path = this.#path(id);
      const aside = `${path}.bad-${Date.now()}`;
      await rename(path, aside).catch((error: unknown) => {
        throw fromSystem(error, `could not set ${path} aside: ${reason(error)}`);
      });
      this.#values.delete(id);
      this.#aside.add(id);
      this.#context.log.warn({ path, aside, why }, "a state file was set aside");
      this.#context.problems.add({ code: "state_set_aside", message: why, path: aside });
    });
  }

  /** True while a change is being written. */
  get isBusy(): boolean {
    return this.#working > 0;
  }

  async #serialise(id: string, work: () => Promise<void>): Promise<void> {
    if (this.#newer.has(id)) {
      throw new RemoteError("state_newer", `${this.#path(id)} was written by a newer stub`);
    }
    const before = this.#queues.get(id);
    const { mayChange } = this.#context;
    const step = async () => {
      await mayChange?.();
      this.#working += 1;
      try {
        await work();
      } finally {
        this.#working -= 1;
      }
    };
    const mine = (before ?? Promise.resolve()).then(step, step);
    this.#queues.set(id, mine);
    try {
      await mine;
    } finally {
      if (this.#queues.get(id) === mine) this.#queues.delete(id);
    }
  }

  async #load(id: string): Promise<void> {
    const found = await this.#read(id);
    if ("value" in found) this.#values.set(id, found.value);
    else if (found.wrong !== "newer") await this.setAside(id, found.wrong);
    else {
      this.#newer.add(id);
      const message = "a newer stub wrote this; it stays as it is";
      this.#context.log.warn({ path: this.#path(id) }, message);
      this.#context.problems.add({ code: "state_newer", message, path: this.#path(id) });
    }
  }

  async #read(id: string): Promise<{ value: Static<T> } | { wrong: string }> {
    try {
      return parse(await readFile(this.#path(id), "utf8"), this.#schema);
    } catch (error) {
      if (NOT_THE_FILE.has(codeOf(error) ?? "")) throw error;
      return { wrong: `it cannot be read: ${codeOf(error) ?? reason(error)}` };
    }
  }

  /** What a kill in the middle of a save left. */
  async #sweep(name: string): Promise<void> {
    await unlink(join(this.#directory, name)).catch((error: unknown) => {
      this.#context.log.warn({ err: error, name }, "the rest of an interrupted save stays");
    });
  }

  #seeAside(name: string): void {
    const id = ASIDE.exec(name)?.[1];
    if (id === undefined) return;
    this.#aside.add(id);
    const message = "an earlier stub set this aside; look at it, then remove it";
    this.#context.problems.add({ code: "state_set_aside", message, path: join(this.#directory, name) });
  }

  #path(id: string): string {
    return join(this.#directory, id + SUFFIX);
  }
}

function parse<T extends TSchema>(text: string, schema: T): { value: Static<T> } | { wrong: string } {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return { wrong: `it is no JSON (${text.length} characters)` };
    throw error;
  }
  if (typeof document !== "object" || document === null) return { wrong: "it is no document of ours" };
  const { version, value } = document as { version?: unknown; value?: unknown };
  if (typeof version === "number" && version > VERSION) return { wrong: "newer" };
  if (version !== VERSION) return { wrong: "it has no schema version that is known" };
  return Check(schema, value) ? { value: value as Static<T> } : { wrong: "it does not have its shape" };
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
