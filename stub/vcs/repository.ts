// Which repository a workspace's directory is in, whether it may be read, and what its own configuration must not execute.
import { realpath } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { RemoteError } from "../../protocol/errors.js";
import { isWithin } from "../../protocol/paths.js";
import type { HeldProgram } from "../confinement/program.js";
import { type FileContext, pinToRead } from "../files/access.js";
import { type GitPlace, git, gitRecords } from "./git.js";

export interface Repository extends AsyncDisposable {
  place: GitPlace;
  /** Canonical top of the working tree. */
  top: string;
  /** Canonical directory of the workspace. */
  directory: string;
}

/** How the kernel holds a git that reads these beside what the workspace may. */
export type HoldGit = (gitDirectories: string[]) => HeldProgram | undefined;

/** Filters run at a plain `git status`; those of the user's own configuration are the user's. */
const FILTERS = "^filter\\..*\\.(clean|smudge|process)$";

/**
 * Undefined where the workspace has no directory or that is in no repository. Throws `git_missing`, `git_refused`, what
 * asking throws.
 */
export async function openRepository(
  context: FileContext,
  login: Record<string, string>,
  hold?: HoldGit,
): Promise<Repository | undefined> {
  const { directory } = context.base;
  if (directory === null) return undefined;
  const pinned = await pinToRead(context, directory, "version control");
  const close = () => pinned[Symbol.asyncDispose]();
  try {
    const { signal } = context.pass.asker;
    const place: GitPlace = { directory: pinned, login, signal, settings: [] };
    const found = await locate(place);
    const inside = found !== undefined && isWithin(pinned.real, found.top);
    if (!inside) {
      await close();
      return undefined;
    }
    await admit(context, pinned.real, found);
    // From here on git executes and reads what the repository says.
    place.held = hold?.(found.gitDirectories);
    place.settings = await withoutFilters(place);
    return { place, top: found.top, directory: pinned.real, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

interface Found {
  top: string;
  /** Of the working tree, and of all working trees of the repository. */
  gitDirectories: string[];
}

async function locate(place: GitPlace): Promise<Found | undefined> {
  const args = ["rev-parse", "--show-toplevel", "--absolute-git-dir", "--git-common-dir"];
  const { code, stdout, stderr } = await git(place, args);
  if (code !== 0) {
    if (!/dubious ownership/.test(stderr)) return undefined;
    throw new RemoteError("git_refused", "git does not trust the owner of this repository");
  }
  // A name with a newline would be more lines than three: such a repository is none to us.
  const [top, own, common, ...more] = stdout.toString("utf8").replace(/\n$/, "").split("\n");
  if (top === undefined || own === undefined || common === undefined || more.length > 0) return undefined;
  const shared = common.startsWith("/") ? common : `${place.directory.path}/${common}`;
  return { top: await realpath(top), gitDirectories: [await realpath(own), await realpath(shared)] };
}

/**
 * What git reads outside the working tree must be approved, or be the `.git` of a directory above the workspace: else a file
 * `.git` could show any repository of the user's. What is shown of the tree is below the workspace's directory (pathspec).
 */
async function admit(context: FileContext, directory: string, { gitDirectories }: Found): Promise<void> {
  for (const path of new Set(gitDirectories)) {
    if (basename(path) === ".git" && isWithin(directory, dirname(path))) continue;
    await context.pass.require({ path, kind: "directory" }, "read", "version control");
  }
}

/** Settings that take the programs out of filters that the repository itself defines. */
async function withoutFilters(place: GitPlace): Promise<string[]> {
  const keys = new Set<string>();
  for (const scope of [["--local"], ["--worktree"]]) {
    const args = ["config", ...scope, "--includes", "--name-only", "-z", "--get-regexp", FILTERS];
    for (const key of await gitRecords(place, args)) keys.add(key);
  }
  const settings: string[] = [];
  for (const key of keys) {
    // What cannot be said in one setting (`-c name=value` ends the name at the first =) is not run at all.
    if (key.includes("=")) throw new RemoteError("git_refused", "this repository defines a filter with a strange name");
    settings.push(`${key}=`, `${key.slice(0, key.lastIndexOf("."))}.required=false`);
  }
  return settings;
}
