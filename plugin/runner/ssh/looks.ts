// What of a session only looks at files, each as a step of a batch and as a request of its own.
import { RemoteError } from "../../../protocol/errors.js";
import type { BatchResult, FileNode, FileStat, FileView, LookStep } from "../../../protocol/file.js";
import type { Asking, FileBytes, FileRequests } from "../../stub-client/files.js";
import { defined } from "./defined.js";
import type { LookGatherer } from "./gather.js";

export class Looks {
  readonly #files: FileRequests;
  readonly #gatherer: LookGatherer;

  constructor(files: FileRequests, gatherer: LookGatherer) {
    this.#files = files;
    this.#gatherer = gatherer;
  }

  stat(path: string, asking: Asking): Promise<FileStat> {
    const alone = () => this.#files.stat(path, asking);
    return this.#look({ op: "stat", path }, asking, alone, ({ stat }) => present(stat));
  }

  list(path: string, asking: Asking): Promise<FileNode[]> {
    const alone = () => this.#files.list(path, asking);
    return this.#look({ op: "list", path }, asking, alone, ({ nodes }) => present(nodes));
  }

  view(path: string, lines: { offset?: number; limit?: number }, asking: Asking): Promise<FileView> {
    const alone = () => this.#files.view(path, lines, asking);
    return this.#look({ op: "view", path, ...defined(lines) }, asking, alone, wholeView);
  }

  read(path: string, range: { offset?: number; length?: number }, asking: Asking): Promise<FileBytes> {
    const { offset, length } = range;
    const alone = () => this.#files.read(path, range, asking);
    return this.#look({ op: "read", path, ...defined({ offset, maxBytes: length }) }, asking, alone, bytesOf);
  }

  #look<T>(
    step: LookStep,
    { signal, permissionID }: Asking,
    alone: () => Promise<T>,
    read: (result: BatchResult) => T,
  ): Promise<T> {
    // What brings the answer to an ask goes alone: its `once` is for nothing else.
    if (permissionID !== undefined || signal === undefined) return alone();
    return this.#gatherer.want({ step, signal, alone, read });
  }
}

function wholeView({ view, ending }: BatchResult): FileView {
  const shown = present(view);
  if (shown.type !== "text" || ending === undefined) return shown;
  return { ...shown, content: shown.lines.join("\n") + ending };
}

function bytesOf({ path, size, tag, base64 }: BatchResult): FileBytes {
  return { path: present(path), size: present(size), tag: present(tag), data: Buffer.from(present(base64), "base64") };
}

function present<T>(value: T | undefined): T {
  if (value === undefined) throw new RemoteError("internal", "the stub left out what was asked for");
  return value;
}
