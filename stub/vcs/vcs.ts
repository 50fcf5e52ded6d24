// Version control of a workspace: what OpenCode asks its own git for, asked on the host.
import type { FileStatus, VcsFileDiff, VcsFileStatus, VcsInfo, VcsMode } from "../../protocol/vcs.js";
import type { Workspace } from "../../protocol/workspace.js";
import type { HeldProgram } from "../confinement/program.js";
import type { FileContext } from "../files/access.js";
import { branchesOf, currentBranch, defaultBranch, mergeBase } from "./branches.js";
import { diffOf, hasHead, rawDiff, statusOf } from "./changes.js";
import { openRepository, type Repository } from "./repository.js";

/** The whole file, as OpenCode wants it by default. */
const WHOLE = 2_147_483_647;

export interface VcsOptions {
  loginEnvironment(signal?: AbortSignal): Promise<Record<string, string>>;
  /** How the kernel holds git in this workspace, with these directories beside what is approved; undefined where it cannot. */
  hold?: ((workspace: Workspace, gitDirectories: string[]) => HeldProgram | undefined) | undefined;
}

/** All of it answers with nothing where there is no repository. Throws `git_missing`, `git_refused`, `timeout`, what asking throws. */
export class Vcs {
  readonly #options: VcsOptions;

  constructor(options: VcsOptions) {
    this.#options = options;
  }

  info(context: FileContext): Promise<VcsInfo> {
    return this.#within(context, { branch: null, default_branch: null }, ({ place }) => branchesOf(place));
  }

  status(context: FileContext): Promise<VcsFileStatus[]> {
    return this.#within(context, [], statusOf);
  }

  async fileStatus(context: FileContext): Promise<FileStatus[]> {
    const files = await this.status(context);
    return files.map(({ file, additions, deletions, status }) => ({
      path: file,
      added: additions,
      removed: deletions,
      status,
    }));
  }

  diff(context: FileContext, mode: VcsMode, lines = WHOLE): Promise<VcsFileDiff[]> {
    return this.#within(context, [], async (repository) => {
      if (mode === "git") return diffOf(repository, (await hasHead(repository)) ? "HEAD" : undefined, lines);
      const { place } = repository;
      const [current, root] = await Promise.all([currentBranch(place), defaultBranch(place)]);
      if (root === undefined || current === root.name) return [];
      const base = await mergeBase(place, root.ref);
      return base === undefined ? [] : diffOf(repository, base, lines);
    });
  }

  raw(context: FileContext): Promise<string> {
    return this.#within(context, "", rawDiff);
  }

  async #within<T>(context: FileContext, nothing: T, work: (repository: Repository) => Promise<T>): Promise<T> {
    const login = await this.#options.loginEnvironment(context.pass.asker.signal);
    const { workspace } = context.pass.asker;
    const { hold } = this.#options;
    await using repository = await openRepository(context, login, (directories) => hold?.(workspace, directories));
    return repository === undefined ? nothing : await work(repository);
  }
}
