// What ssh_config says about a host: the first value wins, identity files add up, `Match exec` never runs anything.
import { existsSync } from "node:fs";
import { matchPatternList } from "./pattern.js";
import { type Condition, type Rule, readSshConfig, readSystemSshConfig } from "./ssh-config-file.js";

const SYSTEM_FILE = "/etc/ssh/ssh_config";

export interface SshConfigSource {
  home: string;
  /** The user's file. */
  file: string;
  /** `-F FILE` was given: as with ssh, the system-wide file is then left alone. */
  only: boolean;
  localUser: string;
}

/** Keys in lower case. */
export interface ComputedHost {
  first(key: string): string | undefined;
  all(key: string): string[];
}

export class SshConfig {
  readonly #rules: Rule[];
  readonly #localUser: string;

  constructor(rules: Rule[], localUser: string) {
    this.#rules = rules;
    this.#localUser = localUser;
  }

  /** No file is needed; throws `config_invalid` for one that does not parse. */
  static read(source: SshConfigSource): SshConfig {
    const rules = readSshConfig(source.file, source.home);
    if (!source.only && existsSync(SYSTEM_FILE)) rules.push(...readSystemSshConfig(SYSTEM_FILE, source.home));
    return new SshConfig(rules, source.localUser);
  }

  static empty(): SshConfig {
    return new SshConfig([], "");
  }

  /** Names of `Host` lines without wildcards, in order, each once. */
  aliases(): string[] {
    const names = this.#rules.flatMap((rule) => {
      const last = rule.conditions.at(-1);
      return rule.key === "" && last?.kind === "host" ? last.patterns : [];
    });
    return [...new Set(names.filter((name) => !/[*?!]/.test(name)))];
  }

  /** `user`: one that the command line or the plugin's configuration sets already, for `Match user`. */
  computeHost(alias: string, user?: string): ComputedHost {
    const found = new Map<string, string[]>();
    const values = new Map<string, string[][]>();
    // decided where the block begins: what is set inside it does not change whether it applies
    const decided = new Map<Condition, boolean>();
    const holds = (condition: Condition): boolean => {
      const answer = decided.get(condition) ?? this.#holds(condition, alias, found);
      decided.set(condition, answer);
      return answer;
    };
    if (user !== undefined) found.set("user", [user]);
    for (const rule of this.#rules) {
      if (!rule.conditions.every(holds) || rule.key === "") continue;
      if (!found.has(rule.key)) found.set(rule.key, rule.values);
      const list = values.get(rule.key) ?? [];
      list.push(rule.values);
      values.set(rule.key, list);
    }
    return {
      first: (key) => found.get(key)?.[0],
      all: (key) => (key === "identityfile" ? [...new Set((values.get(key) ?? []).flat())] : (found.get(key) ?? [])),
    };
  }

  #holds(condition: Condition, alias: string, found: Map<string, string[]>): boolean {
    if (condition.kind === "host") return matchPatternList(condition.patterns, alias);
    return condition.criteria.every(({ key, value = "" }) => {
      const negated = key.startsWith("!");
      const holds = this.#criterion(negated ? key.slice(1) : key, value.split(","), alias, found);
      // what we cannot know (exec, final, tags…) never holds, negated or not
      return holds === undefined ? false : holds !== negated;
    });
  }

  #criterion(key: string, patterns: string[], alias: string, found: Map<string, string[]>): boolean | undefined {
    switch (key) {
      case "all":
        return true;
      case "host":
        return matchPatternList(patterns, (found.get("hostname")?.[0] ?? "%h").replaceAll("%h", alias));
      case "originalhost":
        return matchPatternList(patterns, alias);
      case "user":
        return matchPatternList(patterns, found.get("user")?.[0] ?? this.#localUser);
      case "localuser":
        return matchPatternList(patterns, this.#localUser);
      default:
        return undefined;
    }
  }
}
