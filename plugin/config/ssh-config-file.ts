// Reads ssh_config files with their includes into one list of rules; `ssh-config.ts` answers questions with it.
// The parser is ssh-config's; includes, conditions and values are ours, because its own evaluation starts programs (nslookup, Match exec).
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Directive, LineType, parse, type Section, type default as SSHConfig } from "ssh-config";
import { codeOf, RemoteError } from "../../protocol/errors.js";
import { matchPattern } from "./pattern.js";
import { expandTilde } from "./tilde.js";

/** As OpenSSH's own limit. */
const MAX_DEPTH = 16;

/** A `Host` line's patterns, or a `Match` line's criteria in order (`!` kept). */
export type Condition =
  | { kind: "host"; patterns: string[] }
  | { kind: "match"; criteria: { key: string; value: string | undefined }[] };

/** One setting, under all conditions that must hold: includes inside a block add theirs. */
export interface Rule {
  conditions: Condition[];
  /** Lower case. */
  key: string;
  values: string[];
}

/** A missing file has no rules. Throws `config_invalid` for one that cannot be read or parsed. */
export function readSshConfig(file: string, home: string): Rule[] {
  return readFileRules(file, { home, base: join(home, ".ssh"), conditions: [], depth: 0 });
}

/** The system-wide file; its includes are relative to its own directory. */
export function readSystemSshConfig(file: string, home: string): Rule[] {
  return readFileRules(file, { home, base: dirname(file), conditions: [], depth: 0 });
}

interface Place {
  home: string;
  /** Where relative includes are looked up. */
  base: string;
  conditions: Condition[];
  depth: number;
}

function readFileRules(file: string, place: Place): Rule[] {
  if (place.depth > MAX_DEPTH) throw new RemoteError("config_invalid", `${file}: includes are nested too deeply`);
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    if (codeOf(error) === "ENOENT" || codeOf(error) === "ENOTDIR") return [];
    throw new RemoteError("config_invalid", `${file}: cannot be read (${codeOf(error)})`, { cause: error });
  }
  let parsed: SSHConfig;
  try {
    parsed = parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new RemoteError("config_invalid", `${file}: ${reason}`, { cause: error, hint: "ssh -G HOST names the line" });
  }
  return rulesOf(parsed, place);
}

function rulesOf(config: SSHConfig, place: Place): Rule[] {
  const rules: Rule[] = [];
  for (const line of config) {
    if (line.type !== LineType.DIRECTIVE) continue;
    const key = line.param.toLowerCase();
    const values = valuesOf(line);
    if (key === "include") {
      for (const pattern of values) {
        for (const file of expandGlob(expandTilde(pattern, place.home, place.base))) {
          rules.push(...readFileRules(file, { ...place, depth: place.depth + 1 }));
        }
      }
    } else if (key === "host" || key === "match") {
      const condition = key === "host" ? hostCondition(values) : matchCondition(values);
      // an empty rule makes the block's names known even if nothing is set in it
      rules.push({ conditions: [...place.conditions, condition], key: "", values: [] });
      rules.push(...rulesOf((line as Section).config, { ...place, conditions: [...place.conditions, condition] }));
    } else {
      rules.push({ conditions: place.conditions, key, values });
    }
  }
  return rules;
}

function valuesOf(line: Directive): string[] {
  return typeof line.value === "string" ? [line.value] : line.value.map((each) => each.val);
}

function hostCondition(patterns: string[]): Condition {
  return { kind: "host", patterns };
}

const WITHOUT_VALUE = new Set(["all", "canonical", "final"]);

function matchCondition(words: string[]): Condition {
  const criteria: { key: string; value: string | undefined }[] = [];
  for (let index = 0; index < words.length; index++) {
    const key = (words[index] ?? "").toLowerCase();
    const bare = key.replace(/^!/, "");
    criteria.push({ key, value: WITHOUT_VALUE.has(bare) ? undefined : words[++index] });
  }
  return { kind: "match", criteria };
}

/** Files that a path with wildcards in any of its parts names, sorted. */
function expandGlob(path: string): string[] {
  if (!/[*?]/.test(path)) return [path];
  let found = ["/"];
  for (const part of path.split("/").filter((each) => each !== "")) {
    found = found.flatMap((directory) => {
      if (!/[*?]/.test(part)) return [join(directory, part)];
      return list(directory)
        .filter((name) => (part.startsWith(".") || !name.startsWith(".")) && matchPattern(part, name))
        .sort()
        .map((name) => join(directory, name));
    });
  }
  return found;
}

function list(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return [];
  }
}
