// Search in what is approved: contents (find), names (glob, find files). Links are not followed, so nothing outside is found.
import { lstat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { RemoteError } from "../../protocol/errors.js";
import type { FindAnswer, GlobAnswer, GlobRequest, Match } from "../../protocol/search.js";
import { type FileContext, pinToRead } from "../files/access.js";
import { type Pin, pin } from "../files/pin.js";
import { parseMatch } from "./match.js";
import { rankNames } from "./rank.js";
import { type RipgrepEnd, ripgrep } from "./ripgrep.js";

const LIMIT = 100;
/** More matches than this are not compared by age: ripgrep is ended. */
const CANDIDATES = 10_000;
const NAMES = 200_000;
const NOT_GIT = "--glob=!**/.git/**";

export interface SearchOptions {
  /** Path of the ripgrep binary. */
  ripgrep: string;
}

interface Place extends AsyncDisposable {
  /** Where ripgrep runs: a pinned directory. */
  directory: Pin;
  /** What it searches there. */
  target: string;
}

export class Search {
  readonly #binary: string;

  constructor({ ripgrep: binary }: SearchOptions) {
    this.#binary = binary;
  }

  /** Matching lines, of the newest files first. Throws `invalid_request` for a pattern that is none. */
  async find(
    context: FileContext,
    request: { pattern: string; path?: string | undefined; include?: string | undefined; limit?: number | undefined },
  ): Promise<FindAnswer> {
    await using place = await placeOf(context, request.path, `search for ${request.pattern}`);
    const found: Omit<Match, "mtime">[] = [];
    const include = request.include === undefined ? [] : [`--glob=${request.include}`];
    const end = await ripgrep({
      binary: this.#binary,
      args: ["--json", "--hidden", "--no-messages", ...include, NOT_GIT, "--", request.pattern, place.target],
      directory: place.directory.path,
      separator: "\n",
      signal: context.pass.asker.signal,
      onRecord: (record) => {
        const match = parseMatch(record, place.directory.real);
        if (match !== undefined) found.push(match);
        return found.length < CANDIDATES;
      },
    });
    checkPattern(end, request.pattern);
    const times = await timesOf(found.map(({ path }) => path));
    const matches = found
      .map((match) => ({ ...match, mtime: times.get(match.path) ?? 0 }))
      .sort((a, b) => b.mtime - a.mtime || (a.path < b.path ? -1 : a.path > b.path ? 1 : a.line - b.line));
    const limit = request.limit ?? LIMIT;
    return {
      matches: matches.slice(0, limit),
      truncated: end.stopped || matches.length > limit,
      partial: end.code === 2 && matches.length > 0,
    };
  }

  /** Files whose name fits a glob, newest first. */
  async glob(context: FileContext, request: GlobRequest): Promise<GlobAnswer> {
    await using place = await placeOf(context, request.path, `look for ${request.pattern}`);
    if (place.target !== ".") throw new RemoteError("ENOTDIR", `not a directory: ${request.path}`);
    const { names, end } = await this.#names(context, place.directory, [`--glob=${request.pattern}`], CANDIDATES);
    checkPattern(end, request.pattern);
    const paths = names.map((name) => join(place.directory.real, name));
    const times = await timesOf(paths);
    const files = paths.map((path) => ({ path, mtime: times.get(path) ?? 0 })).sort((a, b) => b.mtime - a.mtime);
    const limit = request.limit ?? LIMIT;
    return { files: files.slice(0, limit), truncated: end.stopped || files.length > limit };
  }

  /** Names below the workspace's directory that are like `query`, best first, relative to it. */
  async findFiles(context: FileContext, request: { query: string; limit?: number | undefined }): Promise<string[]> {
    await using place = await placeOf(context, undefined, "look for files");
    const { names } = await this.#names(context, place.directory, [], NAMES);
    return rankNames(names, request.query, request.limit ?? LIMIT);
  }

  async #names(
    context: FileContext,
    directory: Pin,
    globs: string[],
    most: number,
  ): Promise<{ names: string[]; end: RipgrepEnd }> {
    const names: string[] = [];
    const end = await ripgrep({
      binary: this.#binary,
      args: ["--files", "--null", "--hidden", "--no-messages", ...globs, NOT_GIT, "."],
      directory: directory.path,
      separator: "\0",
      signal: context.pass.asker.signal,
      onRecord: (record) => {
        names.push(record.toString("utf8").replace(/^\.\//, ""));
        return names.length < most;
      },
    });
    return { names, end };
  }
}

/** Default: the workspace's directory. A single file is searched in its pinned parent. */
async function placeOf(context: FileContext, path: string | undefined, reason: string): Promise<Place> {
  const asked = path ?? context.base.directory;
  if (asked === null) throw new RemoteError("invalid_request", "the workspace has no directory: name a path");
  const pinned = await pinToRead(context, asked, reason);
  if (pinned.kind === "directory")
    return { directory: pinned, target: ".", [Symbol.asyncDispose]: () => pinned[Symbol.asyncDispose]() };
  await using _file = pinned;
  if (pinned.kind !== "file") throw new RemoteError("EINVAL", `neither a file nor a directory: ${asked}`);
  const directory = await pin(dirname(pinned.real), { directory: true });
  return {
    directory,
    target: `./${basename(pinned.real)}`,
    [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
  };
}

function checkPattern({ code, errors, stopped }: RipgrepEnd, pattern: string): void {
  if (stopped || code === 0 || code === 1) return;
  if (/regex parse error|error parsing (regex|glob)|invalid/i.test(errors)) {
    throw new RemoteError("invalid_request", `the pattern cannot be understood: ${pattern}`, { hint: errors });
  }
  if (code === null) throw new RemoteError("internal", "ripgrep was killed");
}

async function timesOf(paths: string[]): Promise<Map<string, number>> {
  const times = new Map<string, number>();
  const left = [...new Set(paths)];
  const worker = async () => {
    for (let path = left.pop(); path !== undefined; path = left.pop()) {
      const found = await lstat(path).catch(() => undefined);
      times.set(path, found?.mtimeMs ?? 0);
    }
  };
  await Promise.all([worker(), worker(), worker(), worker()]);
  return times;
}
