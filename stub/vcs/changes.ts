// What changed in the working tree, as git tells it and OpenCode shows it.
import type { VcsChange, VcsFileDiff, VcsFileStatus } from "../../protocol/vcs.js";
import { type GitAnswer, type GitPlace, git, gitRecords } from "./git.js";
import { emptyPatch, splitPatches } from "./patches.js";
import type { Repository } from "./repository.js";

/** Of all patches of one answer, in bytes, as in OpenCode. */
const PATCHES_LIMIT = 10_000_000;
/** New files that are looked into; further ones are listed without their lines. */
const NEW_FILES_LIMIT = 2000;
const AT_ONCE = 4;

const DIFF = ["diff", "--no-ext-diff", "--no-textconv", "--no-color", "--no-renames", "--ignore-submodules=dirty"];
const STATUS = ["status", "--porcelain=v1", "--untracked-files=all", "--no-renames", "--ignore-submodules=dirty", "-z"];

interface Entry {
  file: string;
  code: string;
  status: VcsChange;
}

interface Lines {
  additions: number;
  deletions: number;
}

export async function hasHead({ place }: Repository): Promise<boolean> {
  return (await git(place, ["rev-parse", "--verify", "--quiet", "HEAD"])).code === 0;
}

/** Against HEAD. */
export async function statusOf(repository: Repository): Promise<VcsFileStatus[]> {
  const [entries, lines] = await Promise.all([
    entriesOfStatus(repository.place),
    hasHead(repository).then((yes) => (yes ? linesOf(repository.place, "HEAD") : new Map<string, Lines>())),
  ]);
  const missing = entries.filter(({ file, status }) => status === "added" && !lines.has(file));
  const fresh = await newFiles(repository, missing, 0);
  return sorted(entries).map(({ file, status }) => {
    const { additions, deletions } = lines.get(file) ?? fresh.get(file) ?? { additions: 0, deletions: 0 };
    return { file, additions, deletions, status };
  });
}

/** The working tree against a commit; without one (nothing was committed yet) everything is new. */
export async function diffOf(
  repository: Repository,
  commit: string | undefined,
  context: number,
): Promise<VcsFileDiff[]> {
  const { place } = repository;
  const status = await entriesOfStatus(place);
  const [changed, lines, whole] =
    commit === undefined
      ? [[], new Map<string, Lines>(), undefined]
      : await Promise.all([
          entriesOfDiff(place, commit),
          linesOf(place, commit),
          git(place, [...DIFF, "--patch", `--unified=${context}`, commit, "--", "."], PATCHES_LIMIT),
        ]);
  const patches = splitPatches(whole?.stdout.toString("utf8") ?? "", whole?.truncated ?? false);
  const known = new Set(changed.map(({ file }) => file));
  const others = status.filter(({ file, code }) => (commit === undefined || code === "??") && !known.has(file));
  const entries = sorted([...changed, ...others]);
  const fresh = await newFiles(repository, others, context);

  const result: VcsFileDiff[] = [];
  let size = 0;
  for (const { file, status } of entries) {
    const added = fresh.get(file);
    const full = patches.get(file) ?? added?.patch;
    const { additions, deletions } = lines.get(file) ?? added ?? { additions: 0, deletions: 0 };
    if (full !== undefined && size + Buffer.byteLength(full) <= PATCHES_LIMIT) {
      size += Buffer.byteLength(full);
      result.push({ file, patch: full, additions, deletions, status });
      continue;
    }
    if (full !== undefined) size = PATCHES_LIMIT;
    result.push({ file, patch: emptyPatch(file), additions, deletions, status });
  }
  return result;
}

/** As `git diff` prints it, new files behind it. */
export async function rawDiff(repository: Repository): Promise<string> {
  const { place } = repository;
  const [head, status] = await Promise.all([hasHead(repository), entriesOfStatus(place)]);
  const tracked = head
    ? (await git(place, [...DIFF, "--patch", "--unified=3", "HEAD", "--", "."])).stdout.toString("utf8")
    : "";
  const untracked = status.filter(({ code }) => code === "??");
  const fresh = await newFiles(repository, untracked, 3);
  return [tracked, ...untracked.map(({ file }) => fresh.get(file)?.patch ?? "")].filter(Boolean).join("\n");
}

async function entriesOfStatus(place: GitPlace): Promise<Entry[]> {
  const records = await gitRecords(place, [...STATUS, "--", "."]);
  return records.flatMap((record) => {
    const [code, file] = [record.slice(0, 2), record.slice(3)];
    return file === "" ? [] : [{ file, code, status: changeOf(code) }];
  });
}

async function entriesOfDiff(place: GitPlace, commit: string): Promise<Entry[]> {
  const records = await gitRecords(place, [...DIFF, "--name-status", "-z", commit, "--", "."]);
  const entries: Entry[] = [];
  const seen = new Set<string>();
  for (let at = 0; at + 1 < records.length; at += 2) {
    const [code, file] = [records[at] as string, records[at + 1] as string];
    // What is unmerged is named twice.
    if (!seen.has(file)) entries.push({ file, code, status: changeOf(code) });
    seen.add(file);
  }
  return entries;
}

async function linesOf(place: GitPlace, commit: string): Promise<Map<string, Lines>> {
  const lines = new Map<string, Lines>();
  for (const record of await gitRecords(place, [...DIFF, "--numstat", "-z", commit, "--", "."])) {
    const [additions = "", deletions = "", ...file] = record.split("\t");
    lines.set(file.join("\t"), { additions: Number(additions) || 0, deletions: Number(deletions) || 0 });
  }
  return lines;
}

/** Git itself compares each with nothing; a few at once. Names are relative to the top of the repository. */
async function newFiles(
  { place, top, directory }: Repository,
  entries: Entry[],
  context: number,
): Promise<Map<string, Lines & { patch: string | undefined }>> {
  const found = new Map<string, Lines & { patch: string | undefined }>();
  const below = directory === top ? "" : `${directory.slice(top.length + 1)}/`;
  const left = entries.filter(({ file }) => file.startsWith(below)).slice(0, NEW_FILES_LIMIT);
  let room = PATCHES_LIMIT;
  const worker = async () => {
    for (let entry = left.shift(); entry !== undefined && room > 0; entry = left.shift()) {
      const { file } = entry;
      const args = ["--no-index", "--patch", `--unified=${context}`, "--", "/dev/null", file.slice(below.length)];
      const answer = await git(place, [...DIFF, ...args], PATCHES_LIMIT);
      const patch = namedFromTop(answer, below);
      room -= answer.stdout.length;
      found.set(file, { additions: addedLines(patch ?? ""), deletions: 0, patch });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return found;
}

/** The names in the head of a patch that was made below the top. */
function namedFromTop({ stdout, truncated }: GitAnswer, below: string): string | undefined {
  if (truncated || stdout.length === 0) return undefined;
  const text = stdout.toString("utf8");
  if (below === "") return text;
  const hunks = text.search(/^@@ /m);
  const head = hunks < 0 ? text : text.slice(0, hunks);
  return head.replaceAll(/(^| |")([ab])\//gm, `$1$2/${below}`) + text.slice(head.length);
}

function addedLines(patch: string): number {
  const hunks = patch.search(/^@@ /m);
  return hunks < 0 ? 0 : (patch.slice(hunks).match(/^\+/gm)?.length ?? 0);
}

/** OpenCode's reading of git's letters. */
function changeOf(code: string): VcsChange {
  if (code === "??") return "added";
  if (code.includes("U")) return "modified";
  if (code.includes("A") && !code.includes("D")) return "added";
  if (code.includes("D") && !code.includes("A")) return "deleted";
  return "modified";
}

function sorted(entries: Entry[]): Entry[] {
  return entries.toSorted((a, b) => a.file.localeCompare(b.file));
}
