// The whole output of a command whose end only was shown. It is kept on the laptop (it came over the wire already) and
// read again by our own read and grep under a path that no host has, so that the model can look at any part of it.
import { appendFile, mkdir, readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { codeOf } from "../../protocol/errors.js";

/** Shown to the model; below it only names that we gave. */
const PREFIX = "/.opencode-remote-ssh/output/";
/** Bytes kept of one command; the rest can be had by running it again into a file. */
const LIMIT = 64 * 1024 * 1024;
const KEEP_MS = 7 * 24 * 3600 * 1000;

export class SavedOutput {
  readonly #directory: string;
  #cleaned = false;

  /** `directory`: ours, made when first needed (0700). */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /** A writer for one command; nothing is written before the first piece. */
  open(commandID: string): OutputWriter {
    return new OutputWriter(join(this.#directory, `${commandID}.txt`), `${PREFIX}${commandID}.txt`, () =>
      this.#ready(),
    );
  }

  /** Undefined where `path` is none of ours, or is gone. */
  async read(path: string): Promise<string | undefined> {
    if (!path.startsWith(PREFIX)) return undefined;
    const name = path.slice(PREFIX.length);
    if (!/^cmd_[A-Za-z0-9]{8,64}\.txt$/.test(name)) return undefined;
    return readFile(join(this.#directory, name), "utf8").catch((error: unknown) => {
      if (codeOf(error) !== "ENOENT") throw error;
      return undefined;
    });
  }

  async #ready(): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    if (this.#cleaned) return;
    this.#cleaned = true;
    for (const name of await readdir(this.#directory)) {
      const file = join(this.#directory, name);
      const { mtimeMs } = await stat(file);
      if (mtimeMs < Date.now() - KEEP_MS) await rm(file, { force: true });
    }
  }
}

export class OutputWriter {
  readonly #file: string;
  readonly #ready: () => Promise<void>;
  /** The path to show. */
  readonly path: string;
  #written = 0;
  #queue: Promise<void> | undefined;
  #failed = false;

  constructor(file: string, path: string, ready: () => Promise<void>) {
    this.#file = file;
    this.path = path;
    this.#ready = ready;
  }

  /** Nothing of an earlier attempt is left. */
  async clear(): Promise<void> {
    await rm(this.#file, { force: true });
  }

  /** Resolves when it is written, so that a fast command waits for the disk and memory stays bounded. */
  async write(text: string): Promise<void> {
    if (this.#failed || this.#written >= LIMIT) return;
    this.#written += Buffer.byteLength(text);
    const before = this.#queue ?? this.#ready();
    this.#queue = before
      .then(() => appendFile(this.#file, text, { mode: 0o600 }))
      // No path is shown then; the command itself is not to fail because the laptop's disk is full.
      .catch(() => {
        this.#failed = true;
      });
    await this.#queue;
  }

  /** The path to show; undefined where it could not be saved. */
  async end(): Promise<string | undefined> {
    await this.#queue;
    return this.#failed ? undefined : this.path;
  }
}
