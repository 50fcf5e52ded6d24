// Branches, by OpenCode's rules.
import type { VcsInfo } from "../../protocol/vcs.js";
import { type GitPlace, gitText } from "./git.js";

export interface DefaultBranch {
  name: string;
  /** What to compare with: the branch, or the remote's. */
  ref: string;
}

/** Undefined while HEAD is detached. */
export async function currentBranch(place: GitPlace): Promise<string | undefined> {
  return (await gitText(place, ["symbolic-ref", "--quiet", "--short", "HEAD"])) || undefined;
}

/** What the remote calls its default; else `init.defaultBranch`, `main`, `master`, where there is such a branch. */
export async function defaultBranch(place: GitPlace): Promise<DefaultBranch | undefined> {
  const remote = chooseRemote(lines(await gitText(place, ["remote"])));
  if (remote !== undefined) {
    const ref = (await gitText(place, ["symbolic-ref", `refs/remotes/${remote}/HEAD`])).replace("refs/remotes/", "");
    if (ref.startsWith(`${remote}/`)) return { name: ref.slice(remote.length + 1), ref };
  }
  const branches = lines(await gitText(place, ["for-each-ref", "--format=%(refname:short)", "refs/heads"]));
  const configured = await gitText(place, ["config", "init.defaultBranch"]);
  const name = [configured, "main", "master"].find((each) => branches.includes(each));
  return name === undefined ? undefined : { name, ref: name };
}

export async function mergeBase(place: GitPlace, ref: string): Promise<string | undefined> {
  return (await gitText(place, ["merge-base", ref, "HEAD"])) || undefined;
}

export async function branchesOf(place: GitPlace): Promise<VcsInfo> {
  const [branch, root] = await Promise.all([currentBranch(place), defaultBranch(place)]);
  return { branch: branch ?? null, default_branch: root?.name ?? null };
}

function chooseRemote(remotes: string[]): string | undefined {
  if (remotes.includes("origin") || remotes.length === 1) return remotes.includes("origin") ? "origin" : remotes[0];
  return remotes.includes("upstream") ? "upstream" : remotes[0];
}

function lines(text: string): string[] {
  return text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter(Boolean);
}
