// A word of a command line as the shell would make it, as far as its text says: quotes, variables that were set in the same
// text, braces. What the text does not say (globs, other variables, output of commands) is a marker in the result.
import type { ArrayValue, ParameterExpansionPart, Word, WordPart } from "unbash";

/** Stands for text that is not known. No command holds a NUL. */
export const UNKNOWN = "\u0000";
/** Stands for the home directory. */
export const HOME = "\uE000";

/** What a word can become at most, so that `{a,b}{c,d}…` stays small. */
const MAX_RESULTS = 32;

export interface Scope {
  /** Several values where it was given several, by an array or a loop. */
  variables: Map<string, string[]>;
  /** Where the shell stands: absolute, below HOME, or relative to where it started (""); undefined where nobody knows. */
  directory: string | undefined;
}

export function newScope(): Scope {
  return { variables: new Map([["HOME", [HOME]]]), directory: "" };
}

/** For what runs in a process of its own: what it changes stays there. */
export function forked({ variables, directory }: Scope): Scope {
  return { variables: new Map(variables), directory };
}

/** All that the word can be; a variable without quotes is split into words. */
export function expand(word: Word, scope: Scope): string[] {
  if (word.parts === undefined) return [tilde(word.text, word.value)];
  const results = join(word.parts, scope);
  const first = word.parts[0];
  if (first?.type === "Literal") {
    return split(
      word.parts,
      results.map((result) => tilde(first.text, result)),
    );
  }
  return split(word.parts, results);
}

export function expandAll(value: Word | ArrayValue, scope: Scope): string[] {
  return value.type === "Word" ? expand(value, scope) : value.elements.flatMap((element) => expand(element, scope));
}

function split(parts: readonly WordPart[], results: string[]): string[] {
  const isBare = parts.some(({ type }) => type === "SimpleExpansion" || type === "ParameterExpansion");
  if (!isBare) return results;
  return results.flatMap((result) => result.split(/[ \t\n]+/).filter((word) => word !== ""));
}

/** `text` is as it was written: a quoted `~` is none. */
function tilde(text: string, value: string): string {
  if (!text.startsWith("~")) return value;
  if (value === "~" || value.startsWith("~/")) return HOME + value.slice(1);
  return UNKNOWN + value;
}

function join(parts: readonly WordPart[], scope: Scope): string[] {
  let results = [""];
  for (const part of parts) {
    const values = valuesOf(part, scope);
    results = results.flatMap((result) => values.map((value) => result + value)).slice(0, MAX_RESULTS);
  }
  return results;
}

function valuesOf(part: WordPart, scope: Scope): string[] {
  switch (part.type) {
    case "Literal":
    case "SingleQuoted":
    case "AnsiCQuoted":
      return [part.value];
    case "DoubleQuoted":
    case "LocaleString":
      return join(part.parts, scope);
    case "SimpleExpansion":
      return variable(part.text.slice(1), scope);
    case "ParameterExpansion":
      return parameter(part, scope);
    case "BraceExpansion":
      return braces(part.text);
    default:
      return [UNKNOWN];
  }
}

function variable(name: string, { variables, directory }: Scope): string[] {
  if (name === "PWD" && directory !== undefined) return [directory === "" ? "." : directory];
  return variables.get(name) ?? [UNKNOWN];
}

function parameter({ parameter: name, prefix, operation }: ParameterExpansionPart, scope: Scope): string[] {
  if (prefix !== undefined) return [UNKNOWN];
  if (operation === undefined) return variable(name, scope);
  if (operation.type !== "Default" || !operation.operator.endsWith("-")) return [UNKNOWN];
  const known = scope.variables.get(name);
  return known ?? expand(operation.operand, scope);
}

/** `{a,b}`; sequences and what is nested is not known. */
function braces(text: string): string[] {
  const inside = text.slice(1, -1);
  if (!inside.includes(",") || /[{}$`"'\\*?[]/.test(inside)) return [UNKNOWN];
  return inside.split(",");
}
