// Which entries of a directory the project ignores: by the .gitignore and .ignore of the workspace's directory, as OpenCode
// decides, and by those of the directories in between, as git and ripgrep do.
import ignore, { type Ignore } from "ignore";
import { codeOf } from "../../protocol/errors.js";
import { isWithin } from "../../protocol/paths.js";
import type { FileContext } from "./access.js";
import { pin, reopen } from "./pin.js";

const FILES = [".gitignore", ".ignore"];
/** Of one such file; more is not read. */
const RULES_BYTES = 1024 * 1024;

/** Rules, and the canonical directory that they are about. */
interface Level {
  directory: string;
  rules: Ignore;
}

export type IsIgnored = (name: string, isDirectory: boolean) => boolean;

/** For the entries of `directory` (canonical). Rules that may not be read without asking are none. */
export async function ignoredIn(context: FileContext, directory: string): Promise<IsIgnored> {
  const levels: Level[] = [];
  let ignored = false;
  for (const each of waysDown(context.base.directory, directory)) {
    ignored ||= levels.length > 0 && decide(levels, each, true);
    if (ignored) return () => true;
    const rules = await rulesOf(context, each);
    if (rules !== undefined) levels.push({ directory: each, rules });
  }
  if (levels.length === 0) return () => false;
  return (name, isDirectory) => decide(levels, join(directory, name), isDirectory);
}

/** The directories from the workspace's own down to this one; only this one where it lies elsewhere. */
function waysDown(root: string | null, directory: string): string[] {
  if (root === null || !isWithin(directory, root)) return [directory];
  const ways = [root];
  for (const name of directory.slice(root.length).split("/").filter(Boolean)) ways.push(join(ways.at(-1) ?? "", name));
  return ways;
}

/** The innermost rule that speaks of it decides. */
function decide(levels: Level[], path: string, isDirectory: boolean): boolean {
  let ignored = false;
  for (const { directory, rules } of levels) {
    const relative = path.slice(directory === "/" ? 1 : directory.length + 1);
    const said = rules.test(isDirectory ? `${relative}/` : relative);
    if (said.ignored) ignored = true;
    else if (said.unignored) ignored = false;
  }
  return ignored;
}

async function rulesOf(context: FileContext, directory: string): Promise<Ignore | undefined> {
  let rules: Ignore | undefined;
  for (const name of FILES) {
    const text = await textOf(context, join(directory, name));
    if (text === undefined) continue;
    rules ??= ignore({ ignorecase: false });
    rules.add(text);
  }
  return rules;
}

/** Of what is missing, unreadable, or a link to where nothing is approved (not worth a question): nothing. */
async function textOf({ pass }: FileContext, path: string): Promise<string | undefined> {
  try {
    await using pinned = await pin(path);
    if (pinned.kind !== "file" || !pass.allows(pinned.real, "read")) return undefined;
    await using file = await reopen(pinned);
    const buffer = Buffer.alloc(Math.min((await file.stat()).size, RULES_BYTES));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, 0);
    return buffer.toString("utf8", 0, bytesRead);
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return undefined;
  }
}

function join(directory: string, name: string): string {
  return directory === "/" ? `/${name}` : `${directory}/${name}`;
}
