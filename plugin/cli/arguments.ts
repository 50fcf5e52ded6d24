// The command line as data: one parse for all commands, then each option is checked against the command that was named.
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { RemoteError } from "../../protocol/errors.js";
import { COMMANDS, type CommandName } from "./usage.js";

const OPTIONS = {
  F: { type: "string", short: "F" },
  i: { type: "string", short: "i" },
  p: { type: "string", short: "p" },
  json: { type: "boolean" },
  verbose: { type: "boolean", short: "v" },
  help: { type: "boolean", short: "h" },
  version: { type: "boolean" },
  cwd: { type: "string" },
  env: { type: "string", multiple: true },
  timeout: { type: "string" },
  stdin: { type: "boolean" },
  unconfined: { type: "boolean" },
  yes: { type: "boolean", short: "y" },
  force: { type: "boolean" },
  revoke: { type: "string" },
  since: { type: "string" },
  c: { type: "string", short: "c" },
} as const;

const GLOBAL = new Set(["F", "i", "p", "json", "verbose", "help", "version"]);

export interface Globals {
  sshConfigFile: string | undefined;
  identityFile: string | undefined;
  port: number | undefined;
  json: boolean;
  verbose: boolean;
}

export interface Invocation {
  /** Undefined: none was named. */
  command: CommandName | undefined;
  help: boolean;
  version: boolean;
  globals: Globals;
  /** Behind the command, before `--`. */
  words: string[];
  /** Behind `--`; undefined: there was none. */
  rest: string[] | undefined;
  options: {
    cwd?: string;
    env: Record<string, string>;
    timeoutMs?: number;
    stdin: boolean;
    unconfined: boolean;
    yes: boolean;
    force: boolean;
    revoke?: string;
    since?: string;
    c?: string;
  };
}

/** `cwd`: what relative file names of the command line are relative to. Throws `usage`. */
export function parseArguments(argv: string[], cwd: string): Invocation {
  const dashes = argv.indexOf("--");
  const head = dashes === -1 ? argv : argv.slice(0, dashes);
  const rest = dashes === -1 ? undefined : argv.slice(dashes + 1);
  const { values, positionals } = parseHead(head);
  const [name, ...words] = positionals;
  const command = name === undefined ? undefined : commandNamed(name);
  for (const option of Object.keys(values)) {
    if (GLOBAL.has(option) || (command !== undefined && COMMANDS[command].options.includes(option))) continue;
    throw usage(`${option.length === 1 ? "-" : "--"}${option} is no option${command ? ` of ${command}` : ""}`);
  }
  if (command !== undefined && rest !== undefined && !COMMANDS[command].rest) {
    throw usage(`${command} takes nothing behind --`);
  }
  return {
    command,
    help: values.help ?? false,
    version: values.version ?? false,
    globals: {
      sshConfigFile: values.F === undefined ? undefined : resolve(cwd, values.F),
      identityFile: values.i === undefined ? undefined : resolve(cwd, values.i),
      port: values.p === undefined ? undefined : numberOf("-p", values.p, 1, 65_535, true),
      json: values.json ?? false,
      verbose: values.verbose ?? false,
    },
    words,
    rest,
    options: {
      ...(values.cwd === undefined ? {} : { cwd: values.cwd }),
      env: variables(values.env ?? []),
      ...(values.timeout === undefined
        ? {}
        : { timeoutMs: Math.ceil(numberOf("--timeout", values.timeout, 0.001, 604_800, false) * 1000) }),
      stdin: values.stdin ?? false,
      unconfined: values.unconfined ?? false,
      yes: values.yes ?? false,
      force: values.force ?? false,
      ...(values.revoke === undefined ? {} : { revoke: values.revoke }),
      ...(values.since === undefined ? {} : { since: values.since }),
      ...(values.c === undefined ? {} : { c: values.c }),
    },
  };
}

export function usage(message: string, hint?: string): RemoteError {
  return new RemoteError("usage", message, hint === undefined ? {} : { hint });
}

function parseHead(head: string[]) {
  try {
    return parseArgs({ args: head, options: OPTIONS, allowPositionals: true, strict: true });
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    const hint = head.includes("exec") ? "put -- before the command that is to run on the host" : undefined;
    throw usage(error.message.split(". ")[0] ?? error.message, hint);
  }
}

function commandNamed(name: string): CommandName {
  if (Object.hasOwn(COMMANDS, name)) return name as CommandName;
  throw usage(`${name} is no command`);
}

function numberOf(name: string, text: string, least: number, most: number, whole: boolean): number {
  const value = Number(text);
  const shape = whole ? /^\d+$/ : /^\d+(\.\d+)?$/;
  if (shape.test(text) && value >= least && value <= most) return value;
  throw usage(`${name} ${text}: give a number from ${least} to ${most}`);
}

function variables(pairs: string[]): Record<string, string> {
  const env: Record<string, string> = {};
  for (const pair of pairs) {
    const match = /^([A-Za-z_][A-Za-z0-9_]*)=([\s\S]*)$/.exec(pair);
    if (match === null) throw usage(`--env ${pair.split("=")[0]}: give NAME=VALUE`);
    env[match[1] as string] = match[2] as string;
  }
  return env;
}
