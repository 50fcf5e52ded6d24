// The paths that a command names in its text, as a shell would read it. Pure: nobody looks whether they are there.
// What the text does not say is not found; a text that is no shell is said to be none.
import {
  type Assignment,
  type Command,
  forEachChild,
  parse,
  type Redirection,
  type SyntaxNode,
  type Word,
} from "unbash";
import { expand, expandAll, forked, HOME, newScope, type Scope, UNKNOWN } from "./expand.js";
import { gainsRights, type Use, usesOf } from "./uses.js";
import { shellText, wrapped } from "./wrapped.js";

export interface NamedPath {
  /** Absolute, `~` or `~/…`, or relative to the directory that the command starts in. */
  path: string;
  use: Use;
}

export interface CommandText {
  paths: NamedPath[];
  /** Programs that gain rights by being setuid. */
  setuid: string[];
  /** False: no shell reads it to its end, or it names more than is looked at. What was found is there all the same. */
  isWhole: boolean;
}

const MAX_PATHS = 256;
/** `sh -c "sh -c …"`. */
const MAX_DEPTH = 8;
const MAX_LOOSE = 64;
const MAX_KEPT = 200;
/** Longer ones are read anew each time. */
const MAX_KEPT_LENGTH = 4096;

const kept = new Map<string, CommandText>();

/** Without one of these a text names nothing outside the directory that it starts in, but by a link there. */
export function mayNameOutside(text: string): boolean {
  return /[/~$`]|\.\./.test(text);
}

/** Words and nothing else: a shell can read it, whatever they are. */
export function isPlainText(text: string): boolean {
  return /^[\w .,=:@%+-]*$/.test(text);
}

/** Words anywhere in a text that look like paths, in quotes and programs of other languages too. */
export function looseWords(text: string): string[] {
  const words = text.match(/(?<![A-Za-z0-9_./~:-])(?:~?\/|\.\.\/)[^\s'"`;|&<>(){}[\]$*?\\,:]+/g) ?? [];
  return [...new Set(words)].slice(0, MAX_LOOSE);
}

/** Text for a shell. Never throws. */
export function readCommand(text: string): CommandText {
  const known = kept.get(text);
  if (known !== undefined) return known;
  const reader = new Reader();
  reader.text(text, newScope());
  const result = reader.result();
  if (text.length <= MAX_KEPT_LENGTH) keep(text, result);
  return result;
}

/** A program with its arguments; no shell reads them. */
export function readArguments(argv: string[]): CommandText {
  const reader = new Reader();
  reader.run(argv, newScope());
  return reader.result();
}

/** The oldest goes; one that is used again is no younger for it. */
function keep(text: string, result: CommandText): void {
  kept.set(text, result);
  for (const oldest of kept.keys()) {
    if (kept.size <= MAX_KEPT) break;
    kept.delete(oldest);
  }
}

class Reader {
  readonly #paths = new Map<string, Use>();
  readonly #setuid = new Set<string>();
  #isWhole = true;
  #depth = 0;

  result(): CommandText {
    const paths = [...this.#paths].map(([path, use]) => ({ path, use }));
    return { paths, setuid: [...this.#setuid], isWhole: this.#isWhole };
  }

  text(text: string, scope: Scope): void {
    if (this.#depth >= MAX_DEPTH) {
      this.#isWhole = false;
      return;
    }
    this.#depth += 1;
    this.#visit(parse(text), scope);
    this.#depth -= 1;
  }

  /** A program and its arguments, expanded. */
  run(words: string[], scope: Scope): void {
    const [name, ...args] = words;
    if (name === undefined) return;
    if (gainsRights(name)) this.#setuid.add(name);
    const inner = wrapped(words);
    const text = shellText(words);
    if (inner !== undefined) this.run(inner, scope);
    else if (text !== undefined) this.#inner(text, forked(scope));
    else if (name === "eval") this.#inner(args.join(" "), scope);
    else if (name === "cd" || name === "pushd" || name === "chdir") this.#move(args, scope);
    else if (name === "popd") scope.directory = undefined;
    else {
      if (name.includes("/")) this.#note(name, "read", scope);
      for (const { word, use } of usesOf(name, args)) this.#note(word, use, scope);
    }
  }

  #inner(text: string, scope: Scope): void {
    if (!text.includes(UNKNOWN)) this.text(text.replaceAll(HOME, "~"), scope);
  }

  #visit(node: SyntaxNode, scope: Scope): void {
    switch (node.type) {
      case "Script":
        if ("errors" in node && node.errors !== undefined && node.errors.length > 0) this.#isWhole = false;
        for (const statement of node.commands) this.#visit(statement, scope);
        break;
      case "Statement":
        this.#visit(node.command, node.background ? forked(scope) : scope);
        break;
      case "AndOr":
        node.commands.forEach((command, index) => {
          this.#visit(command, node.operators[index - 1] === "||" ? forked(scope) : scope);
        });
        break;
      case "Pipeline":
        for (const command of node.commands) this.#visit(command, forked(scope));
        break;
      case "Subshell":
        this.#visit(node.body, forked(scope));
        break;
      case "For":
      case "Select":
        this.#loop(node, scope);
        this.#visit(node.body, scope);
        break;
      case "Redirected":
        for (const redirection of node.redirects) this.#redirect(redirection, scope);
        this.#visit(node.command, scope);
        break;
      case "TestUnary":
        this.#words(expand(node.operand, scope), scope);
        break;
      case "TestBinary":
        this.#words([...expand(node.left, scope), ...expand(node.right, scope)], scope);
        break;
      case "Command":
        this.#command(node, scope);
        break;
      case "CommandExpansion":
      case "ProcessSubstitution":
      case "ArithmeticCommandExpansion":
        if (node.script !== undefined) this.#visit(node.script, forked(scope));
        break;
      default:
        forEachChild(node, (child) => this.#visit(child, scope));
    }
  }

  #loop({ name, wordlist = [] }: { name: Word; wordlist?: readonly Word[] | undefined }, scope: Scope): void {
    for (const word of wordlist) this.#inside(word, scope);
    const values = wordlist.flatMap((word) => expand(word, scope));
    this.#words(values, scope);
    scope.variables.set(name.value, values.length === 0 ? [UNKNOWN] : values);
  }

  #command(node: Command, scope: Scope): void {
    for (const part of [...node.prefix, ...node.suffix]) this.#inside(part, scope);
    if (node.name !== undefined) this.#inside(node.name, scope);
    const assignments = node.prefix.filter((part): part is Assignment => part.type === "Assignment");
    for (const redirection of node.redirects) this.#redirect(redirection, scope);
    if (node.name === undefined) {
      for (const assignment of assignments) assign(assignment, scope);
      return;
    }
    for (const { value } of assignments) {
      for (const word of expandAll(value, scope)) this.#words(word.split(":"), scope);
    }
    const words = expand(node.name, scope);
    for (const argument of node.args) {
      if (argument.type === "Word") words.push(...expand(argument, scope));
      else assign(argument, scope);
    }
    this.run(words, scope);
  }

  /** What is run to make a word. */
  #inside(node: SyntaxNode, scope: Scope): void {
    forEachChild(node, (child) => {
      if (child.type === "Word") this.#inside(child, scope);
      else this.#visit(child, scope);
    });
  }

  #redirect(redirection: Redirection, scope: Scope): void {
    this.#inside(redirection, scope);
    if (redirection.type !== "Redirect" || redirection.target === undefined) return;
    const { operator, target } = redirection;
    for (const word of expand(target, scope)) {
      if (operator.endsWith("&") && /^([0-9]+-?|-)$/.test(word)) continue;
      this.#note(word, operator === "<" || operator === "<&" ? "read" : "write", scope);
    }
  }

  #move(args: string[], scope: Scope): void {
    const to = args.find((word) => !/^-./.test(word) && word !== "--") ?? HOME;
    this.#note(to, "read", scope);
    const isKnown = !to.includes(UNKNOWN) && to !== "-";
    scope.directory = isKnown ? inDirectory(to, scope.directory) : undefined;
  }

  #words(words: string[], scope: Scope): void {
    for (const word of words) this.#note(word, "read", scope);
  }

  #note(word: string, use: Use, scope: Scope): void {
    const named = word.startsWith("file://") ? word.slice("file://".length) : word;
    if (named === "" || /^[A-Za-z][A-Za-z0-9+.-]*:\/\//.test(named) || named.lastIndexOf(HOME) > 0) return;
    const known = knownPart(named, use);
    if (known === undefined || !isPath(known.word, use, scope)) return;
    const place = inDirectory(known.word, scope.directory);
    if (place === undefined) return;
    const path = place.startsWith(HOME) ? `~${place.slice(1)}` : place.startsWith("~") ? `./${place}` : place;
    if (this.#paths.size >= MAX_PATHS && !this.#paths.has(path)) this.#isWhole = false;
    else if (STRENGTH[use] >= STRENGTH[this.#paths.get(path) ?? "read"]) this.#paths.set(path, known.use);
  }
}

const STRENGTH: Record<Use, number> = { read: 0, write: 1, entry: 2 };

/** Of `/srv/*.log` its directory, which is then what is read, or written in. */
function knownPart(word: string, use: Use): { word: string; use: Use } | undefined {
  const at = word.indexOf(UNKNOWN);
  if (at === -1) return { word, use };
  const slash = word.lastIndexOf("/", at);
  return slash <= 0 ? undefined : { word: word.slice(0, slash), use: use === "entry" ? "write" : use };
}

/** A plain name in the directory that it starts in may be anything, and that directory is asked for by itself. */
function isPath(word: string, use: Use, { directory }: Scope): boolean {
  return directory !== "" || use !== "read" || word.startsWith(HOME) || word.includes("/") || word === "..";
}

/** As the kernel reads it, `..` and all; undefined where nobody knows. */
function inDirectory(word: string, directory: string | undefined): string | undefined {
  if (word.startsWith("/") || word.startsWith(HOME)) return word;
  if (directory === undefined || directory === "") return directory === "" ? word : undefined;
  return `${directory}/${word}`;
}

function assign({ name, value, append }: Assignment, scope: Scope): void {
  const values = expandAll(value, scope);
  const isKnown = append !== true && values.length > 0;
  scope.variables.set(name, isKnown ? values : [UNKNOWN]);
}
