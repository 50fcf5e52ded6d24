// Search in what is approved: contents (grep, find), names (glob, find files), with the flags and limits of OpenCode's own
// tools. Links are not followed, so nothing outside is found.
import { basename, dirname, join } from "node:path";
import { RemoteError } from "../../protocol/errors.js";
import type { FindAnswer, GlobAnswer, GlobRequest, Match, TextMatch } from "../../protocol/search.js";
import type { Workspace } from "../../protocol/workspace.js";
import type { HeldProgram } from "../confinement/program.js";
import { type FileContext, pinToRead } from "../files/access.js";
import { pin } from "../files/pin.js";
import { confirmLines, confirmNames, type Searched } from "./confirm.js";
import { type FoundLine, parseMatch } from "./match.js";
import { rankNames } from "./rank.js";
import { searchPolicy } from "./reach.js";
import { type RipgrepEnd, type RipgrepRun, ripgrep } from "./ripgrep.js";
import { Turns } from "./turns.js";

const LIMIT = 100;
/** Of OpenCode's GET /find and /find/file. */
const FIND_LIMIT = 10;
const NAMES = 200_000;
/** Characters of matching lines in one answer. */
const TEXT_MOST = 8 * 1024 * 1024;
const TIME_LIMIT_MS = 60_000;
const AT_ONCE = 4;
const NOT_GIT = "--glob=!**/.git/**";

export interface SearchOptions {
  /** Path of the ripgrep binary. */
  ripgrep: string;
  timeLimitMs?: number;
  /** How the kernel holds a program that reads no more than this policy says; undefined where it cannot. */
  hold?: ((workspace: Workspace, policy: () => Buffer) => HeldProgram | undefined) | undefined;
}

interface Pattern {
  pattern: string;
  path?: string | undefined;
  include?: string | undefined;
  limit?: number | undefined;
}

interface Found {
  matches: TextMatch[];
  /** Canonical directory that their paths are relative to. */
  directory: string;
  truncated: boolean;
  partial: boolean;
}

interface Run extends Omit<RipgrepRun, "binary" | "signal" | "limitMs" | "directory" | "held"> {
  place: Place;
}

interface Place extends Searched, AsyncDisposable {
  /** What it searches there. */
  target: string;
}

export class Search {
  readonly #options: SearchOptions;
  readonly #turns = new Turns(AT_ONCE);

  constructor(options: SearchOptions) {
    this.#options = options;
  }

  /** Matching lines. Throws `invalid_request` for a pattern that is none. */
  async grep(context: FileContext, request: Pattern): Promise<FindAnswer> {
    const { matches, directory, truncated, partial } = await this.#search(context, request, LIMIT);
    const lines = matches.map(
      ({ path, line_number, lines: { text } }): Match => ({
        path: join(directory, path.text),
        line: line_number,
        text: text.replace(/\r?\n$/, ""),
      }),
    );
    return { matches: lines, truncated, partial };
  }

  /** The same as OpenCode's `find.text` gives them. */
  async find(context: FileContext, request: Pattern): Promise<TextMatch[]> {
    const { matches, directory } = await this.#search(context, request, FIND_LIMIT);
    if (directory === context.base.directory) return matches;
    return matches.map((match) => ({ ...match, path: { text: join(directory, match.path.text) } }));
  }

  /** Files whose name fits a glob. Hidden and ignored ones only where the glob names them: it goes before ignore rules. */
  async glob(context: FileContext, request: GlobRequest): Promise<GlobAnswer> {
    await using place = await placeOf(context, request.path, `look for ${request.pattern}`);
    if (place.target !== ".") throw new RemoteError("ENOTDIR", `not a directory: ${request.path}`);
    const limit = request.limit ?? LIMIT;
    const { names, end } = await this.#names(context, place, [`--glob=${request.pattern}`], limit + 1);
    checkPattern(end, request.pattern);
    const confirmed = await confirmNames(place, names.slice(0, limit));
    const files = confirmed.map((name) => ({ path: join(place.directory.real, name) }));
    return { files, truncated: end.timedOut || names.length > limit };
  }

  /** Names below the workspace's directory that are like `query`, best first, relative to it. */
  async findFiles(
    context: FileContext,
    request: { query: string; type?: "file" | "directory" | undefined; limit?: number | undefined },
  ): Promise<string[]> {
    await using place = await placeOf(context, undefined, "look for files");
    const { names, end } = await this.#names(context, place, ["--hidden"], NAMES);
    checkPattern(end, request.query);
    return await confirmNames(place, rankNames(names, request.query, request.limit ?? FIND_LIMIT, request.type));
  }

  async #search(context: FileContext, request: Pattern, usual: number): Promise<Found> {
    const { pattern, include, limit = usual } = request;
    await using place = await placeOf(context, request.path, `search for ${pattern}`);
    const found: FoundLine[] = [];
    let room = TEXT_MOST;
    const globs = include ? [`--glob=${include}`] : [];
    const end = await this.#run(context, {
      args: ["--json", "--hidden", "--no-messages", ...globs, NOT_GIT, "--", pattern, place.target],
      place,
      separator: "\n",
      onRecord: (record) => {
        const line = parseMatch(record);
        if (line === undefined) return true;
        room -= line.match.lines.text.length;
        found.push(line);
        return found.length <= limit && room > 0;
      },
    });
    checkPattern(end, pattern);
    const shown = found.slice(0, limit);
    const confirmed = await confirmLines(place, shown);
    const partial =
      end.timedOut || end.dropped > 0 || confirmed.length < shown.length || (end.code === 2 && found.length > 0);
    const matches = confirmed.map(({ match }) => match);
    return { matches, directory: place.directory.real, truncated: end.stopped || end.timedOut, partial };
  }

  async #names(
    context: FileContext,
    place: Place,
    flags: string[],
    most: number,
  ): Promise<{ names: string[]; end: RipgrepEnd }> {
    const names: string[] = [];
    const end = await this.#run(context, {
      args: ["--files", "--null", "--no-messages", ...flags, NOT_GIT, "."],
      place,
      separator: "\0",
      onRecord: (record) => {
        names.push(record.toString("utf8").replace(/^(?:\.\/)+/, ""));
        return names.length < most;
      },
    });
    return { names, end };
  }

  async #run(context: FileContext, { place, ...run }: Run): Promise<RipgrepEnd> {
    const { signal, workspace } = context.pass.asker;
    const { ripgrep: binary, timeLimitMs: limitMs = TIME_LIMIT_MS, hold } = this.#options;
    const { directory, approved, target } = place;
    const { dev, ino } = await directory.handle.stat({ bigint: true });
    const kind = target === "." ? "directory" : "file";
    const policy = () => searchPolicy({ ripgrep: binary, approved, kind, identity: `${dev}:${ino}` });
    return this.#turns.run(signal, () => {
      const held = hold?.(workspace, policy);
      return ripgrep({ ...run, directory, held, binary, limitMs, signal });
    });
  }
}

/** Default: the workspace's directory. A single file is searched in its pinned parent. */
async function placeOf(context: FileContext, path: string | undefined, reason: string): Promise<Place> {
  const asked = path ?? context.base.directory;
  if (asked === null) throw new RemoteError("invalid_request", "the workspace has no directory: name a path");
  const pinned = await pinToRead(context, asked, reason);
  if (pinned.kind === "directory")
    return {
      directory: pinned,
      approved: pinned.real,
      target: ".",
      [Symbol.asyncDispose]: () => pinned[Symbol.asyncDispose](),
    };
  await using _file = pinned;
  if (pinned.kind !== "file") throw new RemoteError("EINVAL", `neither a file nor a directory: ${asked}`);
  const directory = await pin(dirname(pinned.real), { directory: true });
  return {
    directory,
    approved: pinned.real,
    target: `./${basename(pinned.real)}`,
    [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
  };
}

function checkPattern({ code, errors, stopped, timedOut }: RipgrepEnd, pattern: string): void {
  if (stopped || timedOut || code === 0 || code === 1) return;
  if (/regex parse error|error parsing (regex|glob)|invalid/i.test(errors)) {
    throw new RemoteError("invalid_request", `the pattern cannot be understood: ${pattern}`, { hint: errors });
  }
  if (code === null) throw new RemoteError("internal", "ripgrep was killed");
}
