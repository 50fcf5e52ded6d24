// What OpenCode's rules are asked about a command line: one pattern for each command in it, as the built-in bash does,
// also inside substitutions, subshells and here documents. Pure.
import { forEachChild, parse, type SyntaxNode } from "unbash";
import { commandPrefix } from "./command-arity.js";

export interface CommandPatterns {
  patterns: string[];
  /** What "allow always" remembers. */
  always: string[];
}

/** Changing the directory is nothing by itself. */
const MOVES = new Set(["cd", "chdir", "popd", "pushd", "push-location", "set-location"]);

export function commandPatterns(command: string): CommandPatterns {
  const patterns = new Set<string>();
  const always = new Set<string>();
  const visit = (node: SyntaxNode, source: string) => {
    if (node.type === "Command") {
      const name = node.name?.text;
      const text = source.slice(node.pos, node.end).trim();
      if (name === undefined) {
        if (node.redirects.length > 0) patterns.add(text);
      } else if (!MOVES.has(name)) {
        patterns.add(text);
        always.add(`${commandPrefix([name, ...node.args.map((argument) => argument.text)]).join(" ")} *`);
      }
    }
    // a script inside backquotes has a text of its own
    const inner = node.type === "Script" && node.source !== undefined ? node.source : source;
    forEachChild(node, (child) => visit(child, inner));
  };
  const script = parse(command);
  visit(script, command);
  // A shell runs the lines before the one that it cannot read: they are asked about, and so is the whole; nothing of it is remembered.
  if (script.errors?.length) return { patterns: [...patterns, command.trim()], always: [] };
  return { patterns: [...patterns], always: [...always] };
}
