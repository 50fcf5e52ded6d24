// Where a local session works: its directory, what it may touch there, and a private directory for the logs of its commands.
// Nothing is looked at before the first call needs it.
import { mkdtemp, realpath, rm } from "node:fs/promises";
import { join } from "node:path";
import { RemoteError } from "../../../protocol/errors.js";
import type { Access } from "../../../protocol/workspace.js";
import type { OnAsk, OperationOptions, RunnerDestination } from "../runner.js";
import { LocalApprovals } from "./approvals.js";
import { statFile } from "./files.js";
import { canonicalPath, type PathBase } from "./paths.js";

interface OpenedPlace extends PathBase {
  approvals: LocalApprovals;
  /** Logs of commands. */
  scratch: string;
}

export class LocalPlace {
  readonly #destination: RunnerDestination;
  readonly #machine: { home: string; tmpdir: string };
  readonly #onAsk: OnAsk | undefined;
  #opening: Promise<OpenedPlace> | undefined;
  #ended = false;

  constructor(destination: RunnerDestination, machine: { home: string; tmpdir: string }, onAsk: OnAsk | undefined) {
    this.#destination = destination;
    this.#machine = machine;
    this.#onAsk = onAsk;
  }

  get isOpen(): boolean {
    return this.#opening !== undefined;
  }

  get isEnded(): boolean {
    return this.#ended;
  }

  /** Throws `unavailable` once it has ended. */
  async open(): Promise<OpenedPlace> {
    if (this.#ended) throw new RemoteError("unavailable", "the session was closed");
    this.#opening ??= this.#openOnce().catch((error) => {
      this.#opening = undefined;
      throw error;
    });
    return await this.#opening;
  }

  /** The canonical path, which may be used. Throws what asking throws. */
  async allowed(path: string, access: Access, reason: string, options: OperationOptions): Promise<string> {
    if (options.signal?.aborted) throw new RemoteError("aborted", "aborted", { cause: options.signal.reason });
    const opened = await this.open();
    const canonical = await canonicalPath(opened, path);
    await opened.approvals.require(canonical, access, reason, options);
    return canonical;
  }

  /** From here on nothing more is begun. */
  end(): void {
    this.#ended = true;
  }

  /** When nothing uses it any more. */
  async remove(): Promise<void> {
    // That it could not be opened was told to whoever opened it.
    const opened = await this.#opening?.catch(() => undefined);
    if (opened !== undefined) await rm(opened.scratch, { recursive: true, force: true });
  }

  async #openOnce(): Promise<OpenedPlace> {
    const { home, tmpdir } = this.#machine;
    const { directory, readRoots = [] } = this.#destination;
    const named = { directory: null, home };
    const root = directory === null ? null : await canonicalPath(named, directory);
    if (root !== null && (await statFile(root)).type !== "directory")
      throw new RemoteError("ENOTDIR", `ENOTDIR: ${root}`);
    const reads = await Promise.all(readRoots.map((path) => canonicalPath(named, path)));
    const scratch = await realpath(await mkdtemp(join(tmpdir, "opencode-remote-local-")));
    return { directory: root, home, approvals: new LocalApprovals(root, reads, this.#onAsk), scratch };
  }
}
