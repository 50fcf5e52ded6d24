// Programs that PATH finds in the home: nvm, pyenv, cargo, ~/.local/bin. They are no part of the base set, for they lie beside what is
// the user's own; they are asked about as one, the first time that a command starts one of them.
import { readdirSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { isWithin } from "../../protocol/paths.js";
import { deferred } from "../commands/deferred.js";
import { type Protected, whyRefused } from "../permission/refusals.js";

/** Names of programs in one directory; more of them are no toolchain's. */
const PROGRAMS = 5000;
/** What a directory of programs may have around it that is not theirs: then only the directory itself counts. */
const MIXED = new Set([".local", ".cargo", ".config", ".cache", ".ssh", ".gnupg", ".aws", ".kube", ".docker"]);
/** What goes with some of them, below the home. */
const BESIDE: Record<string, string[]> = {
  ".cargo/bin": [".rustup"],
  ".local/bin": [".local/lib", ".local/pipx", ".local/share/pipx", ".local/share/uv", ".local/share/mise"],
};
/** Where a word of a command's text is a program's name. */
const PROGRAM = /(?:^|[;&|(`\n])\s*(?:(?:\w+=\S*|env|exec|time|nohup|xargs|if|then|do|else|!)\s+)*([\w.+-]+)/g;
/** Of a command's text. */
const LOOKED_AT = 16 * 1024;

export class Toolchains {
  readonly #guarded: Protected;
  /** Resolves once `find` was called; a command that would start before does so only then anyway. */
  readonly found: Promise<void>;
  readonly #found: () => void;
  isFound = false;
  #path: string[] = [];
  #roots: string[] = [];
  #names = new Set<string>();

  constructor(guarded: Protected) {
    this.#guarded = guarded;
    const { promise, resolve } = deferred<void>();
    this.found = promise;
    this.#found = resolve;
  }

  /** Canonical directories, none within another. */
  get roots(): string[] {
    return this.#roots;
  }

  /** `path` as in PATH. Looks at the directories in the home once. */
  find(path: string): void {
    const { home } = this.#guarded;
    this.#path = path.split(":").filter((each) => each.startsWith("/"));
    const roots = new Set<string>();
    for (const directory of this.#path) {
      const real = realOf(directory);
      if (real === undefined || !(isWithin(real, home) || isWithin(directory, home))) continue;
      for (const root of this.#rootsOf(directory, real)) roots.add(root);
      for (const name of namesIn(real)) this.#names.add(name);
    }
    const all = [...roots];
    this.isFound = true;
    this.#found();
    this.#roots = all.filter((root) => !all.some((other) => other !== root && isWithin(root, other)));
  }

  /** The one that this lies in. */
  rootOf(path: string): string | undefined {
    return this.#roots.find((root) => isWithin(path, root));
  }

  /** True where the text starts a program that is found there first. On the way of every command. */
  isStartedBy(text: string): boolean {
    if (this.#names.size === 0) return false;
    for (const [, name = ""] of text.slice(0, LOOKED_AT).matchAll(PROGRAM)) {
      if (this.#names.has(name) && this.#isFoundHere(name)) return true;
    }
    return false;
  }

  #isFoundHere(name: string): boolean {
    const first = this.#path.find((directory) => isFile(join(directory, name)));
    const real = first === undefined ? undefined : realOf(first);
    return real !== undefined && this.rootOf(real) !== undefined;
  }

  *#rootsOf(directory: string, real: string): Iterable<string> {
    const { home } = this.#guarded;
    const prefix = dirname(real);
    const isOwn = /^s?bin$|^shims$|^\.bin$/.test(basename(real)) && !MIXED.has(basename(prefix));
    yield isOwn && this.#mayBe(prefix) ? prefix : real;
    // a link on the way (`current`) is looked up, too
    if (directory !== real) {
      const link = dirname(dirname(directory));
      if (isWithin(link, home) && this.#mayBe(link)) yield link;
    }
    for (const [bin, others] of Object.entries(BESIDE)) {
      if (real !== join(home, bin)) continue;
      for (const other of others) {
        const found = realOf(join(home, other));
        if (found !== undefined && this.#mayBe(found)) yield found;
      }
    }
  }

  #mayBe(path: string): boolean {
    return whyRefused(path, this.#guarded) === undefined && !MIXED.has(basename(path));
  }
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory).slice(0, PROGRAMS);
  } catch {
    return []; // not ours to read
  }
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

function realOf(path: string): string | undefined {
  try {
    return realpathSync.native(path);
  } catch {
    return undefined;
  }
}
