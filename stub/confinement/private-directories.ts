// A directory of its own for each workspace, below the install root: TMPDIR of its commands, and the caches of tools whose own
// lie in the home. Other workspaces do not see it, and it goes with its workspace.
import { spawn } from "node:child_process";
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { Check } from "typebox/value";
import { RemoteError } from "../../protocol/errors.js";
import { WorkspaceID } from "../../protocol/ids.js";
import { checkedHelper } from "../helper-binary.js";
import { identityOf } from "./entries.js";

export interface PrivateDirectoriesOptions {
  /** Canonical, ours, 0700. */
  directory: string;
  /** Absolute path of the helper binary, which removes trees without following a link that is swapped in meanwhile. */
  helper: string;
}

export class PrivateDirectories {
  readonly #options: PrivateDirectoriesOptions;

  constructor(options: PrivateDirectoriesOptions) {
    this.#options = options;
  }

  /** Of this workspace; made where it is missing. Synchronous: it is on the way of every command, and costs one look. */
  of(workspaceID: string): { path: string; identity: string } {
    const path = join(this.#options.directory, workspaceID);
    const identity = identityOf(path, true);
    if (identity !== undefined) return { path, identity };
    mkdirSync(path, { recursive: true, mode: 0o700 });
    const made = identityOf(path, true);
    if (made === undefined) throw new RemoteError("internal", `${path} is no directory`);
    return { path, identity: made };
  }

  /** Resolves when it is gone. Throws `internal` for what could not be removed. */
  async remove(workspaceID: string): Promise<void> {
    await this.#removeTree(join(this.#options.directory, workspaceID));
  }

  /** Those of workspaces that are no more. */
  async sweep(isKnown: (workspaceID: string) => boolean): Promise<void> {
    for (const name of readdirSync(this.#options.directory)) {
      if (Check(WorkspaceID, name) && !isKnown(name)) await this.#removeTree(join(this.#options.directory, name));
    }
  }

  async #removeTree(path: string): Promise<void> {
    const child = spawn(checkedHelper(this.#options.helper), ["--remove", path], { stdio: "ignore" });
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", resolve);
    });
    if (code !== 0) throw new RemoteError("internal", `${path} could not be removed`);
  }
}
