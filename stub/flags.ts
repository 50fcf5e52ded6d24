// The stub's command line: what may be given, and where everything lies below the install root.
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { Check } from "typebox/value";
import { RemoteError } from "../protocol/errors.js";
import { EnforcementLevel } from "../protocol/health.js";
import { INSTALL } from "../protocol/install.js";

export interface StubFlags {
  mode: "run" | "probe" | "version" | "help";
  installRoot: string;
  listen: { host: string; port: number };
  socket: string;
  tokenFile: string;
  approvers: string;
  stateDirectory: string;
  logFile: string;
  auditFile: string;
  runDirectory: string;
  /** Seconds without connections and commands after which the stub ends; undefined: never. */
  idleExit: number | undefined;
  /** Seconds without a client after which what is asked is denied; undefined: the default. */
  askTimeout: number | undefined;
  /** Where this instance runs and is not newer: it hands over to this stub and ends. */
  takeOver: string | undefined;
  /** The only level that is used; undefined: the best that works here. */
  level: EnforcementLevel | undefined;
  /** Bytes that the logs of one command may hold; undefined: the usual. */
  logCap: number | undefined;
}

export const HELP = `opencode-remote-ssh-stub [FLAGS]

  --install-root DIR   everything below has its default here (~/.opencode-remote-ssh)
  --listen HOST:PORT   loopback address to listen on (127.0.0.1:0)
  --socket PATH        unix socket (run/stub.sock)
  --token-file PATH    bearer token; made if it is missing (run/stub.token)
  --approvers DIR      public keys of client installations (state/approvers)
  --state-dir PATH     workspaces, sessions, approvals, commands (state)
  --log-file PATH      (log/stub.log)
  --audit-file PATH    (log/audit.log)
  --run-dir PATH       stub.json, stub.pid (run)
  --idle-exit SECONDS  end after so long without connections and commands
  --ask-timeout SECONDS  deny what is asked after so long without a client (600)
  --log-cap BYTES      of the output of one command that are kept (268435456)
  --level LEVEL        only this one (mount+landlock, landlock, mount, guard, static, off); an error where it does not work
  --take-over INSTANCE from this instance, where it runs and is not newer
  --probe              try every part, print JSON, exit 0 if all work
  --version            print the version, exit
  --help               this

Of the one file only, see docs/protocol.md: --daemonize, --verify SHA256, attach
`;

export interface FlagDefaults {
  home: string;
  /** OPENCODE_REMOTE_SSH_PARTS: the unpack directory, two levels below the install root. */
  parts: string | undefined;
}

/** Throws `usage`. */
export function parseFlags(args: string[], defaults: FlagDefaults): StubFlags {
  const values = parse(args);
  const installRoot = absolute(values["install-root"] ?? defaultRoot(defaults), defaults.home);
  const below = (given: string | undefined, name: string) =>
    given === undefined ? join(installRoot, name) : absolute(given, defaults.home);
  const runDirectory = below(values["run-dir"], "run");
  const stateDirectory = below(values["state-dir"], INSTALL.state);
  const mode = values.help ? "help" : values.version ? "version" : values.probe ? "probe" : "run";
  return {
    mode,
    installRoot,
    listen: parseListen(values.listen ?? "127.0.0.1:0"),
    socket: below(values.socket, INSTALL.socket),
    tokenFile: below(values["token-file"], INSTALL.token),
    approvers: below(values.approvers, INSTALL.approvers),
    stateDirectory,
    logFile: below(values["log-file"], INSTALL.log),
    auditFile: below(values["audit-file"], INSTALL.audit),
    runDirectory,
    idleExit: parseSeconds("idle-exit", values["idle-exit"]),
    takeOver: values["take-over"],
    level: parseLevel(values.level),
    askTimeout: parseSeconds("ask-timeout", values["ask-timeout"]),
    logCap: parseBytes(values["log-cap"]),
  };
}

function parse(args: string[]) {
  const text = { type: "string" } as const;
  const flag = { type: "boolean" } as const;
  try {
    return parseArgs({
      args,
      options: {
        "install-root": text,
        listen: text,
        socket: text,
        "token-file": text,
        approvers: text,
        "state-dir": text,
        "log-file": text,
        "audit-file": text,
        "run-dir": text,
        "idle-exit": text,
        "ask-timeout": text,
        "log-cap": text,
        level: text,
        "take-over": text,
        probe: flag,
        version: flag,
        help: flag,
      },
    }).values;
  } catch (error) {
    throw new RemoteError("usage", error instanceof Error ? error.message : String(error), { cause: error });
  }
}

function defaultRoot({ home, parts }: FlagDefaults): string {
  if (parts !== undefined && dirname(parts).endsWith("/bin")) return dirname(dirname(parts));
  return join(home, ".opencode-remote-ssh");
}

function absolute(path: string, home: string): string {
  if (path === "~" || path.startsWith("~/")) return join(home, path.slice(1));
  return resolve(path);
}

function parseListen(text: string): { host: string; port: number } {
  const match = /^(127\.0\.0\.1|localhost|\[::1\]):(\d{1,5})$/.exec(text);
  const port = Number(match?.[2]);
  if (match?.[1] === undefined || port > 65_535) {
    throw new RemoteError("usage", `--listen takes a loopback address and a port, not ${text}`);
  }
  return { host: match[1].replace(/[[\]]/g, ""), port };
}

function parseLevel(text: string | undefined): EnforcementLevel | undefined {
  if (text === undefined || Check(EnforcementLevel, text)) return text;
  throw new RemoteError("usage", `--level takes one of ${EnforcementLevel.enum.join(", ")}, not ${text}`);
}

function parseSeconds(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const seconds = Number(text);
  if (!Number.isInteger(seconds) || seconds < 1)
    throw new RemoteError("usage", `--${name} takes whole seconds, not ${text}`);
  return seconds;
}

function parseBytes(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const bytes = Number(text);
  if (!Number.isSafeInteger(bytes) || bytes < 4096) {
    throw new RemoteError("usage", `--log-cap takes a number of bytes, 4096 at least, not ${text}`);
  }
  return bytes;
}
