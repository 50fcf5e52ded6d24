// The options of the plugin's entry in opencode.json, as a schema: the first thing that is parsed, and the only place with defaults.
// Properties with a default may be left out by the user; `parseConfig` fills them in, so everything behind it sees them all.
import { type Static, Type } from "typebox";
import { EnforcementWish } from "../../protocol/workspace.js";

const strict = { additionalProperties: false };

/** Becomes part of adapter types (`ssh:<name>`), of directories on the laptop and of command lines: so no separators, no dot files. */
/** What is read where the user names nothing; only this one may be missing. */
export const DEFAULT_SSH_CONFIG = "~/.ssh/config";

export const NAME = "^[A-Za-z0-9_][A-Za-z0-9._-]*$";
const name = (description: string) => Type.String({ pattern: NAME, maxLength: 64, description });
const text = () => Type.String({ minLength: 1 });
const milliseconds = (value: number) => Type.Integer({ minimum: 1, maximum: 3_600_000, default: value });
const port = () => Type.Integer({ minimum: 1, maximum: 65_535 });

export const Strategy = Type.Union([Type.Literal("first_available"), Type.Literal("least_loaded")]);
export const LeaseMode = Type.Union([Type.Literal("exclusive"), Type.Literal("shared")]);

export const SshOptions = Type.Object(
  {
    /** Address, or an alias of ssh_config; without it the host's name is looked up. */
    host: Type.Optional(text()),
    user: Type.Optional(text()),
    port: Type.Optional(port()),
    /** `~/…` allowed. */
    identityFile: Type.Optional(text()),
    /** As in ssh_config: `[user@]host[:port]`, several separated by commas, or `none`. */
    proxyJump: Type.Optional(text()),
  },
  { ...strict, default: {} },
);

export const HostConfig = Type.Object(
  {
    name: name("what the user calls the host"),
    aliases: Type.Array(name("another name"), { default: [] }),
    labels: Type.Array(text(), { default: [] }),
    /** On the host: where work begins when no other directory is named. */
    directory: Type.Optional(text()),
    /** On the host: approved for reading in every workspace there. */
    readRoots: Type.Array(text(), { default: [] }),
    /** Names are checked by `parseConfig`. */
    env: Type.Record(Type.String(), Type.String(), { default: {} }),
    /** Shell text that prepares the environment, for example `module load gcc/12`. */
    init: Type.Optional(text()),
    /** Instead of those of `defaults`. */
    enforcement: Type.Optional(EnforcementWish),
    network: Type.Optional(Type.Boolean()),
    ssh: SshOptions,
  },
  strict,
);
export type HostConfig = Static<typeof HostConfig>;

export const ProviderConfig = Type.Object(
  {
    strategy: Type.Optional(Strategy),
    labels: Type.Array(text(), { default: [] }),
    hosts: Type.Array(HostConfig, { default: [] }),
  },
  // without a default of its own TypeBox fills in none inside a record
  { ...strict, default: {} },
);
export type ProviderConfig = Static<typeof ProviderConfig>;

export const PluginConfig = Type.Object(
  {
    /** On the host; `~/…` allowed. */
    installRoot: Type.String({ minLength: 1, default: "~/.opencode-remote-ssh" }),
    /** Where further hosts are found; false: nowhere. */
    sshConfig: Type.Union([text(), Type.Literal(false)], { default: DEFAULT_SSH_CONFIG }),
    defaults: Type.Object(
      {
        strategy: Type.Union(Strategy.anyOf, { default: "first_available" }),
        leaseMode: Type.Union(LeaseMode.anyOf, { default: "exclusive" }),
        enforcement: Type.Union(EnforcementWish.anyOf, { default: "best" }),
        /** False: commands are to reach no network. */
        network: Type.Boolean({ default: true }),
        /** There is no other value: a host key is checked or the connection refused. */
        knownHosts: Type.Literal("strict", { default: "strict" }),
      },
      { ...strict, default: {} },
    ),
    tunnel: Type.Object(
      {
        /** First and last port of local listeners, on loopback. */
        localPortRange: Type.Tuple([port(), port()], { default: [39_000, 39_999] }),
        connectTimeoutMs: milliseconds(15_000),
        healthTimeoutMs: milliseconds(5_000),
        keepaliveMs: milliseconds(5_000),
      },
      { ...strict, default: {} },
    ),
    /** Names are checked by `parseConfig`. */
    providers: Type.Record(Type.String(), ProviderConfig, { default: {} }),
  },
  strict,
);
export type PluginConfig = Static<typeof PluginConfig>;
