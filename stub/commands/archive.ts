// The directory of all commands, state/commands: which there are, and the slow deletion of those that nobody needs any more.
// Deleting many files at once makes making new ones ten times slower on ext4: so it is done in small portions, with pauses.
import { existsSync, statfsSync } from "node:fs";
import { readdir, readFile, statfs, unlink } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { CommandRecord } from "../../protocol/command.js";
import { ignoreMissing } from "../../protocol/errors.js";
import { type EndedCommand, EndedIndex } from "./ended-index.js";
import { allowedBytes, expired, RETENTION, type RetentionLimits } from "./expiry.js";
import { hasEnded, parseRun, SUFFIX } from "./files.js";
import { LiveRecord } from "./live-record.js";

export interface ArchiveOptions {
  directory: string;
  /** Not to be deleted now: somebody reads it. */
  busy(commandID: string): boolean;
  onError(error: unknown, message: string): void;
  retention?: Partial<RetentionLimits> | undefined;
  /** Between two looks at what is to be deleted. Default a minute. */
  sweepMs?: number | undefined;
}

const INDEX = "ended.jsonl";
const SWEEP_MS = 60_000;
/** Commands that are deleted in one go, and the pause behind them. */
const PORTION = 20;
const PAUSE_MS = 200;
/** What a file takes at least. */
const BLOCK = 4096;

export class CommandArchive {
  readonly #options: ArchiveOptions;
  readonly #limits: RetentionLimits;
  #index: EndedIndex | undefined;
  /** Ids that have a record here, as far as this stub knows; undefined until it has looked. */
  #ids: Set<string> | undefined;
  /** Ended before the index was read. */
  #early: EndedCommand[] = [];
  #free: number;
  #timer: NodeJS.Timeout | undefined;
  #sweeping: Promise<void> | undefined;
  readonly #closing = new AbortController();

  constructor(options: ArchiveOptions) {
    this.#options = options;
    this.#limits = { ...RETENTION, ...options.retention };
    const { bavail, bsize } = statfsSync(options.directory);
    this.#free = bavail * bsize;
  }

  base(commandID: string): string {
    return `${this.#options.directory}/${commandID}`;
  }

  /** From memory once `open` is done: a look at the disk costs as much as all the rest of a start. */
  has(commandID: string): boolean {
    return this.#ids?.has(commandID) ?? existsSync(this.base(commandID) + SUFFIX.run);
  }

  /** Bytes that one command may keep: `wanted`, or less where the disk is nearly full. */
  capOf(wanted: number): number {
    return Math.max(BLOCK * 16, allowedBytes(wanted, this.#free));
  }

  /** Some stub has seen all of it end, and told so. */
  isListed(commandID: string): boolean {
    return this.#index?.get(commandID) !== undefined;
  }

  /** Ended commands, in no order. */
  ended(): Iterable<EndedCommand> {
    return this.#index?.values() ?? this.#early;
  }

  /** Reads what is there. Returns the ids of those that have not ended; the records of the listed ones are not looked at. */
  async open(): Promise<string[]> {
    const { directory } = this.#options;
    const index = await EndedIndex.open(join(directory, INDEX), (error) =>
      this.#options.onError(error, "the list of ended commands cannot be kept"),
    );
    const names = await readdir(directory);
    const ids = new Set(
      names.filter((name) => name.endsWith(SUFFIX.run)).map((name) => name.slice(0, -SUFFIX.run.length)),
    );
    for (const { commandID } of [...index.values()]) if (!ids.has(commandID)) index.delete(commandID);
    this.#ids = ids;
    this.#index = index;
    for (const entry of this.#early.splice(0)) {
      ids.add(entry.commandID);
      index.add(entry);
    }
    const open: string[] = [];
    for (const commandID of ids) {
      if (this.#closing.signal.aborted) return [];
      if (index.get(commandID) === undefined && !(await this.#list(commandID, index))) open.push(commandID);
    }
    await this.#dropOrphans(names, ids);
    this.#timer = setInterval(() => void this.sweep(), this.#options.sweepMs ?? SWEEP_MS).unref();
    return open;
  }

  /** A command has its record here. */
  made(commandID: string): void {
    this.#ids?.add(commandID);
  }

  /** All of it has ended. */
  add(record: CommandRecord): void {
    this.made(record.commandID);
    if (this.#index?.get(record.commandID) !== undefined) return;
    const entry = entryOf(record);
    if (this.#index === undefined) this.#early.push(entry);
    else this.#index.add(entry);
  }

  /** Deletes what has to go; one at a time. Never rejects. */
  sweep(): Promise<void> {
    this.#sweeping ??= this.#sweep()
      .catch((error: unknown) => this.#options.onError(error, "old commands cannot be deleted"))
      .finally(() => {
        this.#sweeping = undefined;
      });
    return this.#sweeping;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    clearInterval(this.#timer);
    await this.#sweeping;
    await this.#index?.flush();
  }

  /** Puts a record into the list that ended while nobody listed it. False: it has no end, or cannot be read. */
  async #list(commandID: string, index: EndedIndex): Promise<boolean> {
    const text = await readFile(this.base(commandID) + SUFFIX.run, "utf8").catch(() => "");
    if (!hasEnded(text)) return false;
    try {
      const { meta, end } = parseRun(text);
      if (end === undefined || end.survivors === null) return false;
      const record = new LiveRecord(meta);
      record.end(end);
      index.add(entryOf(record.snapshot()));
      return true;
    } catch (error) {
      if (error instanceof SyntaxError) return false; // told by whoever asks for it
      throw error;
    }
  }

  async #sweep(): Promise<void> {
    const index = this.#index;
    if (index === undefined) return;
    const { bavail, bsize } = await statfs(this.#options.directory);
    this.#free = bavail * bsize;
    const limits = { ...this.#limits, bytes: allowedBytes(this.#limits.bytes, this.#free) };
    const gone = expired(index.values(), limits, Date.now()).filter(({ commandID }) => !this.#options.busy(commandID));
    for (const [i, { commandID }] of gone.entries()) {
      if (i > 0 && i % PORTION === 0) await this.#pause();
      if (this.#closing.signal.aborted) break;
      if (this.#options.busy(commandID)) continue;
      this.#ids?.delete(commandID);
      index.delete(commandID);
      await this.#remove(commandID);
    }
    if (gone.length > 0) await index.flush();
  }

  /** The record first: what is left of a deletion that is interrupted is then a log without a record, and no half command. */
  async #remove(commandID: string): Promise<void> {
    for (const suffix of Object.values(SUFFIX)) await unlink(this.base(commandID) + suffix).catch(ignoreMissing);
  }

  async #dropOrphans(names: string[], ids: Set<string>): Promise<void> {
    let count = 0;
    for (const name of names) {
      const suffix = Object.values(SUFFIX).find((end) => name.endsWith(end));
      const commandID = suffix === undefined ? "" : name.slice(0, -suffix.length);
      if (suffix === undefined || ids.has(commandID) || existsSync(this.base(commandID) + SUFFIX.run)) continue;
      await unlink(join(this.#options.directory, name)).catch(ignoreMissing);
      count += 1;
      if (count % PORTION === 0) await this.#pause();
      if (this.#closing.signal.aborted) return;
    }
  }

  async #pause(): Promise<void> {
    // woken early by close, which whoever waits looks at next
    await sleep(PAUSE_MS, undefined, { signal: this.#closing.signal, ref: false }).catch(() => undefined);
  }
}

function entryOf(record: CommandRecord): EndedCommand {
  const { commandID, sessionID, workspaceID, state, time, output } = record;
  const ended = time.ended ?? time.created;
  let bytes = BLOCK;
  for (const name of ["stdout", "stderr"] as const) {
    const hole = output.dropped?.[name];
    const kept = output[name] - (hole ? hole.last - hole.first + 1 : 0);
    bytes += Math.ceil(kept / BLOCK) * BLOCK;
  }
  return { commandID, sessionID, workspaceID, state, created: time.created, ended, bytes };
}
