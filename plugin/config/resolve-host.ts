// Merges command line, plugin configuration and ssh_config into all that is needed to open a connection. Opens none.
import { existsSync } from "node:fs";
import { hostname as localHostname, userInfo } from "node:os";
import { join } from "node:path";
import { RemoteError } from "../../protocol/errors.js";
import type { ResolvedHost } from "../ssh/transport.js";
import { type Destination, isHostName, parseDestination, parsePort, printable } from "./destination.js";
import { configuredHosts } from "./parse-config.js";
import { DEFAULT_SSH_CONFIG, type HostConfig, type PluginConfig } from "./schema.js";
import { type ComputedHost, SshConfig } from "./ssh-config.js";
import { closest } from "./suggest.js";
import { expandTilde } from "./tilde.js";
import { expandTokens, type Tokens } from "./tokens.js";

const MAX_JUMPS = 8;
/** Those that ssh tries by itself and ssh2 can use, in ssh's order. */
const DEFAULT_IDENTITIES = ["id_rsa", "id_ecdsa", "id_ed25519"];

export interface ResolveOptions {
  config: PluginConfig;
  /** `-F FILE`: instead of the configured ssh_config, and without the system-wide one. */
  sshConfigFile?: string;
  /** `-i`, `-p` and a user from the command line: they win. */
  overrides?: { identityFile?: string; port?: number; user?: string };
  home: string;
  env: Record<string, string | undefined>;
}

/**
 * `name` is a name or alias of the plugin's configuration, an alias of ssh_config, or `[user@]host[:port]`.
 * Throws `host_unknown`, `config_invalid`, `identity_unreadable` (a named identity file is missing), `proxy_failed`.
 */
export function resolveHost(name: string, options: ResolveOptions): ResolvedHost {
  const localUser = options.env.USER ?? options.env.LOGNAME ?? userInfo().username;
  const sshConfig = readConfig(options, localUser);
  return resolve({ name, options, sshConfig, localUser, path: [] });
}

/** Aliases that `hosts` can list beside the configured ones. Throws `config_invalid`. */
export function sshConfigAliases(options: Omit<ResolveOptions, "overrides">): string[] {
  return readConfig(options, options.env.USER ?? "").aliases();
}

function readConfig(options: ResolveOptions, localUser: string): SshConfig {
  const configured = options.config.sshConfig;
  if (options.sshConfigFile !== undefined) {
    if (!existsSync(options.sshConfigFile))
      throw new RemoteError("config_invalid", `${options.sshConfigFile}: no such file`, {
        hint: "it was named by -F",
      });
    return SshConfig.read({ home: options.home, file: options.sshConfigFile, only: true, localUser });
  }
  if (configured === false) return SshConfig.empty();
  const file = expandTilde(configured, options.home);
  // Whoever named another file means it; only the usual one may be missing, as for ssh.
  if (configured !== DEFAULT_SSH_CONFIG && !existsSync(file))
    throw new RemoteError("config_invalid", `sshConfig: ${file}: no such file`);
  return SshConfig.read({ home: options.home, file, only: false, localUser });
}

interface Task {
  name: string;
  options: ResolveOptions;
  sshConfig: SshConfig;
  localUser: string;
  /** Hosts whose jumps led here. */
  path: string[];
  /** A hop that is not the first of its list: it is reached through the one before, whatever its own ProxyJump. */
  noJumps?: boolean;
}

function resolve(task: Task): ResolvedHost {
  const { name, options, sshConfig, localUser } = task;
  const { home, env, overrides = {} } = options;
  const configured = findConfigured(options.config, name);
  const typed = configured === undefined ? parse(task) : undefined;
  const alias = configured?.ssh.host ?? configured?.name ?? typed?.host ?? name;
  const wantedUser = overrides.user ?? typed?.user ?? configured?.ssh.user;
  const computed = sshConfig.computeHost(alias, wantedUser);

  const host = (computed.first("hostname") ?? "%h").replaceAll(/%([h%])/g, (_, letter) =>
    letter === "h" ? alias : "%",
  );
  if (!isHostName(host)) throw new RemoteError("host_unknown", `${name}: "${printable(host)}" is not a host name`);
  const user = wantedUser ?? computed.first("user") ?? localUser;
  const port = overrides.port ?? typed?.port ?? configured?.ssh.port ?? configPort(alias, computed) ?? 22;
  const hostKeyAlias = computed.first("hostkeyalias");
  const tokens = tokensOf({ home, alias, host, port, user, localUser, hostKeyAlias });
  const path = (text: string) => expandTilde(expandTokens(text, tokens, env), home);

  const known = (key: string, standard: string[]) => {
    const values = computed.all(key);
    return values.length > 0 ? values.filter((value) => value !== "none").map(path) : standard;
  };
  return {
    name: configured?.name ?? name,
    host,
    port,
    user,
    ...identities({ computed, configured, options, path }),
    agent: agentOf(computed.first("identityagent"), env, path),
    hostKeyAlias,
    knownHostsFiles: [
      ...known("userknownhostsfile", [join(home, ".ssh/known_hosts"), join(home, ".ssh/known_hosts2")]),
      ...known("globalknownhostsfile", ["/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"]),
    ],
    jumps: task.noJumps ? [] : jumps({ task, computed, configured }),
    installRoot: options.config.installRoot,
    directory: configured?.directory,
    readRoots: configured?.readRoots ?? [],
    env: configured?.env ?? {},
    init: configured?.init,
    enforcement: configured?.enforcement ?? options.config.defaults.enforcement,
    network: configured?.network ?? options.config.defaults.network,
    ...suggestion(task, configured),
  };
}

function findConfigured(config: PluginConfig, name: string): HostConfig | undefined {
  return configuredHosts(config).find(({ host }) => host.name === name || host.aliases.includes(name))?.host;
}

function names(task: Task): string[] {
  const configured = configuredHosts(task.options.config).flatMap(({ host }) => [host.name, ...host.aliases]);
  return [...configured, ...task.sshConfig.aliases()];
}

/** An alias of ssh_config may hold what no host name may. */
function parse(task: Task): Destination {
  if (task.sshConfig.aliases().includes(task.name)) return { user: undefined, host: task.name, port: undefined };
  try {
    return parseDestination(task.name);
  } catch (error) {
    const near = closest(task.name, names(task));
    if (near === undefined || !(error instanceof RemoteError)) throw error;
    throw new RemoteError(error.code, error.message, { cause: error, hint: `did you mean ${near}?` });
  }
}

/** A bare word that nothing configures is tried as a host name, as ssh does; if that fails, this is what to say. */
function suggestion(task: Task, configured: HostConfig | undefined): { didYouMean?: string } {
  if (configured !== undefined || task.sshConfig.aliases().includes(task.name)) return {};
  const near = closest(task.name, names(task));
  return near === undefined ? {} : { didYouMean: near };
}

function configPort(alias: string, computed: ComputedHost): number | undefined {
  const text = computed.first("port");
  if (text === undefined) return undefined;
  const port = parsePort(text);
  if (port === undefined)
    throw new RemoteError("config_invalid", `ssh_config, host ${alias}: Port "${printable(text)}"`);
  return port;
}

function tokensOf(of: {
  home: string;
  alias: string;
  host: string;
  port: number;
  user: string;
  localUser: string;
  hostKeyAlias: string | undefined;
}): Tokens {
  const local = localHostname();
  return {
    d: of.home,
    h: of.host,
    n: of.alias,
    p: String(of.port),
    r: of.user,
    u: of.localUser,
    k: of.hostKeyAlias ?? of.alias,
    i: String(userInfo().uid),
    l: local,
    L: local.split(".")[0] ?? local,
  };
}

interface IdentityTask {
  computed: ComputedHost;
  configured: HostConfig | undefined;
  options: ResolveOptions;
  path: (text: string) => string;
}

/** A file of the command line or of the plugin's configuration must exist; one of ssh_config need not, as with ssh. */
function identities(task: IdentityTask): Pick<ResolvedHost, "identityFiles" | "identitiesOnly"> {
  const { home, overrides } = task.options;
  const identitiesOnly = task.computed.first("identitiesonly")?.toLowerCase() === "yes";
  const explicit = [overrides?.identityFile, task.configured?.ssh.identityFile]
    .filter((file) => file !== undefined)
    .slice(0, 1)
    .map((file) => expandTilde(file, home));
  for (const file of explicit) {
    if (!usable(file))
      throw new RemoteError("identity_unreadable", `identity file ${file}: no such file`, { details: { file } });
  }
  const configured = task.computed.all("identityfile");
  const standard = DEFAULT_IDENTITIES.map((name) => join(home, ".ssh", name));
  const named = configured.filter((file) => file !== "none").map(task.path);
  const rest = configured.length > 0 ? named : explicit.length > 0 ? [] : standard;
  return { identityFiles: [...new Set([...explicit, ...rest.filter(usable)])], identitiesOnly };
}

/** The public half alone is enough where the agent has the private one. */
function usable(file: string): boolean {
  return existsSync(file) || existsSync(`${file}.pub`);
}

function agentOf(
  value: string | undefined,
  env: Record<string, string | undefined>,
  path: (text: string) => string,
): string | undefined {
  if (value === "none") return undefined;
  if (value === undefined || value === "SSH_AUTH_SOCK") return env.SSH_AUTH_SOCK || undefined;
  const variable = /^\$([A-Za-z_][A-Za-z0-9_]*)$/.exec(value)?.[1];
  return variable === undefined ? path(value) : env[variable] || undefined;
}

function jumps(of: { task: Task; computed: ComputedHost; configured: HostConfig | undefined }): ResolvedHost[] {
  const { task } = of;
  const text = of.configured?.ssh.proxyJump ?? of.computed.first("proxyjump") ?? proxyCommand(task.name, of.computed);
  if (text === undefined || text.toLowerCase() === "none") return [];
  const path = [...task.path, task.name];
  if (path.length > MAX_JUMPS) {
    throw new RemoteError("proxy_failed", `ProxyJump leads in a circle: ${path.map(printable).join(" -> ")}`);
  }
  // the command line's key and port are for the last host only, as with ssh
  const options = { ...task.options, overrides: {} };
  return text.split(",").flatMap((hop, index) => {
    const resolved = resolve({ ...task, name: hop.trim(), options, path, noJumps: index > 0 });
    return [...resolved.jumps, { ...resolved, jumps: [] }];
  });
}

/** `ssh -W %h:%p HOP` is what ProxyJump does; no other program is started for a connection. */
function proxyCommand(name: string, computed: ComputedHost): string | undefined {
  const command = computed.all("proxycommand").join(" ");
  if (command === "" || command.toLowerCase() === "none") return undefined;
  const hop = /^(?:\S*\/)?ssh(?: -[q46])* -W \[?%h\]?:%p(?: -q)? ([^\s-]\S*)$/.exec(command)?.[1];
  if (hop !== undefined) return hop;
  throw new RemoteError("proxy_failed", `${printable(name)}: ProxyCommand is not supported`, {
    hint: "use ProxyJump in ~/.ssh/config, or proxyJump in the plugin's configuration",
  });
}
