// The login environment as commands get it: encoded once, since most commands add nothing to it.
import { directWords } from "./direct.js";
import type { LoginEnvironment } from "./environment.js";
import { type EnvironmentBlock, environmentBlock } from "./request.js";
import { findShell } from "./shell.js";

/** Variables over those of the login. One object, one environment: what it says is asked for once. */
export interface Surroundings {
  variables(login: Readonly<Record<string, string>>): Record<string, string>;
}

/** The login environment, ready to be sent with each command. */
export class HostEnvironment {
  readonly shell: string;
  readonly umask: number | undefined;
  readonly #login: LoginEnvironment;
  readonly #variables: Map<string, string>;
  readonly #plain: EnvironmentBlock;
  readonly #within = new WeakMap<Surroundings, HostEnvironment>();

  constructor(login: LoginEnvironment) {
    this.shell = findShell(login.env);
    this.umask = login.umask;
    this.#login = login;
    this.#variables = new Map(Object.entries(login.env));
    this.#plain = environmentBlock(this.#texts({}));
  }

  /** The same as it is within these surroundings. */
  within(surroundings: Surroundings | undefined): HostEnvironment {
    if (surroundings === undefined) return this;
    const known = this.#within.get(surroundings);
    if (known !== undefined) return known;
    const env = { ...this.#login.env, ...surroundings.variables(this.#login.env) };
    const made = new HostEnvironment({ ...this.#login, env });
    this.#within.set(surroundings, made);
    return made;
  }

  /** Words of a text that needs no shell. */
  direct(text: string, over: Record<string, string>): string[] | undefined {
    return directWords(text, this.#over(over));
  }

  *#over(over: Record<string, string>): Iterable<string> {
    yield* this.#variables.keys();
    yield* Object.keys(over);
  }

  block(cwd: string, over: Record<string, string>): EnvironmentBlock {
    const own = environmentBlock([`PWD=${over.PWD ?? cwd}`, ...texts(over)]);
    const plain = Object.keys(over).some((name) => this.#variables.has(name))
      ? environmentBlock(this.#texts(over))
      : this.#plain;
    return { count: plain.count + own.count, bytes: Buffer.concat([plain.bytes, own.bytes]) };
  }

  #texts(without: Record<string, string>): string[] {
    return [...this.#variables]
      .filter(([name]) => !Object.hasOwn(without, name))
      .map(([name, value]) => `${name}=${value}`);
  }
}

function texts(variables: Record<string, string>): string[] {
  return Object.entries(variables)
    .filter(([name]) => name !== "PWD")
    .map(([name, value]) => `${name}=${value}`);
}
