// What is asked for before a command runs: to stand in its directory, and what its text names outside of what was approved. One ask
// for all of it.
import type { CommandRequest } from "../../protocol/command.js";
import type { EnforcementLevel } from "../../protocol/health.js";
import type { Access } from "../../protocol/workspace.js";
import {
  type CommandText,
  isPlainText,
  looseWords,
  mayNameOutside,
  readArguments,
  readCommand,
} from "../command-text/read-command.js";
import { mayGainRights } from "../command-text/uses.js";
import type { Toolchains } from "../confinement/toolchains.js";
import { type CommandPlace, pathsHidden, pathsOutside, withoutCovered } from "./command-paths.js";
import { covers } from "./evaluate.js";
import type { Pass, Wanted } from "./gate.js";
import type { Protected } from "./refusals.js";

export interface BeforeRunOptions {
  guarded: Protected;
  /** Part of what every command gets. */
  isBase(path: string, access: Access): boolean;
  /** What commands of this workspace see as /tmp where they have a view. */
  privateTmp(workspaceID: string): string;
  /** Programs that PATH finds in the home: all of them are asked about at once, when one is started. */
  toolchains: Pick<Toolchains, "roots" | "isStartedBy" | "isFound" | "found">;
}

/** One command, before it is one. */
export interface Intended {
  request: Pick<CommandRequest, "argv" | "command">;
  /** Canonical. */
  cwd: string;
  /** Its own, made for it: there is nothing to ask about it. */
  isPrivate: boolean;
  level: EnforcementLevel;
  pass: Pass;
  reason: string;
}

/** What may explain a failure afterwards. */
export interface Foreseen {
  /** Named in the command and there on the host, where commands have a view of their own that does not show it. */
  hidden: string[];
  /** Programs that gain rights by being setuid, where they gain none. */
  setuid: string[];
}

const NOTHING: Foreseen = { hidden: [], setuid: [] };

export class BeforeRun {
  readonly #options: BeforeRunOptions;

  constructor(options: BeforeRunOptions) {
    this.#options = options;
  }

  /** Throws `permission_required`, `permission_rejected`, `aborted`; EACCES for the stub's own files where no kernel holds them. */
  async require(intended: Intended): Promise<Foreseen> {
    const { request, cwd, isPrivate, level, pass, reason } = intended;
    // To stand somewhere is to read it.
    const standing: Wanted[] = isPrivate ? [] : [{ target: { path: cwd, kind: "directory" }, access: "read" }];
    const tools = level === "off" || level === "static" ? [] : await this.#tools(request);
    const isQuiet = tools.length === 0 && namesNothing(request, level) && (isPrivate || pass.allows(cwd, "read"));
    if (level === "off" || isQuiet) {
      await pass.requireTogether(standing, reason);
      return NOTHING;
    }
    const text = request.argv === undefined ? readCommand(request.command ?? "") : readArguments(request.argv);
    if (level === "static" && !text.isWhole) {
      await pass.requireUnconfined(wholeOf(request), cwd, "nobody can say what it reaches: its text cannot be read");
      return NOTHING;
    }
    const place = this.place(intended);
    const outside = await pathsOutside(text.paths, place);
    await pass.requireTogether(
      withoutCovered([...standing, ...outside, ...tools.filter(({ target }) => !pass.allows(target.path, "read"))]),
      reason,
    );
    return await this.#foresee(intended, text, place);
  }

  async #tools(request: Intended["request"]): Promise<Wanted[]> {
    const { toolchains } = this.#options;
    if (!toolchains.isFound) await toolchains.found;
    if (toolchains.roots.length === 0 || !toolchains.isStartedBy(request.command ?? wholeOf(request))) return [];
    return toolchains.roots.map((path) => ({ target: { path, kind: "directory" }, access: "read" }));
  }

  place({ cwd, isPrivate, level, pass }: Omit<Intended, "request" | "reason">): CommandPlace {
    const { guarded, isBase, privateTmp } = this.#options;
    const isOwn = (path: string) =>
      isPrivate && covers({ path: cwd, access: "write", kind: "directory" }, path, "write");
    return {
      cwd,
      guarded,
      isCovered: (path, access) =>
        isBase(path, access) ||
        isOwn(path) ||
        pass.allows(path, access) ||
        pass.grants.some((grant) => covers(grant, path, access)),
      isTextAll: level === "static",
      canHide: hasView(level),
      privateTmp: hasView(level) ? privateTmp(pass.asker.workspace.id) : undefined,
    };
  }

  async #foresee({ request, level }: Intended, { paths, setuid }: CommandText, place: CommandPlace): Promise<Foreseen> {
    const words = hasView(level) ? [...paths.map(({ path }) => path), ...looseWords(wholeOf(request))] : [];
    return {
      hidden: [...new Set(await pathsHidden(words, place))],
      setuid: level === "static" ? [] : setuid,
    };
  }
}

/** The whole of what is to run, as one text. */
export function wholeOf({ argv, command }: Pick<CommandRequest, "argv" | "command">): string {
  return argv === undefined ? (command ?? "") : argv.map(quoted).join(" ");
}

/** On the way of every command: most name nothing. */
function namesNothing({ argv, command = "" }: Intended["request"], level: EnforcementLevel): boolean {
  if (argv === undefined) {
    return !mayNameOutside(command) && !mayGainRights(command) && (level !== "static" || isPlainText(command));
  }
  return !argv.some((word) => mayNameOutside(word) || mayGainRights(word));
}

function hasView(level: EnforcementLevel): boolean {
  return level === "mount" || level === "mount+landlock";
}

function quoted(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
