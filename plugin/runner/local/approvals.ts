// Which paths of this machine a local session may touch: its roots, what was approved, else the same question as on a host.
import { RemoteError } from "../../../protocol/errors.js";
import { newID } from "../../../protocol/ids.js";
import { isWithin } from "../../../protocol/paths.js";
import type { Access } from "../../../protocol/workspace.js";
import type { OnAsk, OperationOptions } from "../runner.js";

export class LocalApprovals {
  readonly #roots: { path: string; write: boolean }[];
  readonly #always: { path: string; access: Access }[] = [];
  readonly #onAsk: OnAsk | undefined;

  /** Paths are canonical. */
  constructor(directory: string | null, readRoots: string[], onAsk: OnAsk | undefined) {
    this.#roots = readRoots.map((path) => ({ path, write: false }));
    if (directory !== null) this.#roots.push({ path: directory, write: true });
    this.#onAsk = onAsk;
  }

  /** Returns when the path may be used. Throws `permission_required` where nobody can be asked, `permission_rejected`. */
  async require(path: string, access: Access, reason: string, options: OperationOptions): Promise<void> {
    if (this.#allows(path, access)) return;
    const paths = [{ path, access, kind: "file" as const }];
    const ask = { permissionID: newID("per"), permission: "external_directory" as const, path, access, paths, reason };
    const onAsk = options.onAsk ?? this.#onAsk;
    if (onAsk === undefined) {
      throw new RemoteError("permission_required", `${access} of ${path} needs approval`, { details: ask });
    }
    const { sessionID, signal } = options;
    const question = onAsk(
      { ...ask, ...(sessionID === undefined ? {} : { sessionID }) },
      signal ?? new AbortController().signal,
    );
    const { reply, message } = await untilAborted(question, signal);
    if (reply === "reject") {
      const details = { path, access };
      throw new RemoteError("permission_rejected", message ?? `the user rejected ${access} of ${path}`, { details });
    }
    if (reply === "always") this.#always.push({ path, access });
  }

  #allows(path: string, access: Access): boolean {
    return (
      this.#roots.some((root) => (root.write || access === "read") && isWithin(path, root.path)) ||
      this.#always.some((approval) => approval.access === access && isWithin(path, approval.path))
    );
  }
}

async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await promise;
  let onAbort: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(new RemoteError("aborted", "aborted", { cause: signal.reason }));
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } catch (error) {
    if (signal.aborted) return await aborted;
    throw error;
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
