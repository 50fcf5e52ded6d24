import { expect, it } from "vitest";
import { RemoteError } from "../../protocol/errors.js";
import { configuredHosts, parseConfig } from "./parse-config.js";

const host = { name: "prod-web-1", aliases: ["web"], ssh: { host: "203.0.113.11", user: "ops", port: 22 } };
const withHosts = (...hosts: unknown[]) => ({ providers: { default: { hosts } } });

function refusal(options: unknown): RemoteError {
  try {
    parseConfig(options);
  } catch (error) {
    if (error instanceof RemoteError) return error;
    throw error;
  }
  throw new Error("it was accepted");
}

it("fills in every default when the user gave no options", () => {
  for (const options of [undefined, null, {}]) {
    expect(parseConfig(options)).toEqual({
      installRoot: "~/.opencode-remote-ssh",
      sshConfig: "~/.ssh/config",
      defaults: {
        strategy: "first_available",
        leaseMode: "exclusive",
        enforcement: "best",
        network: true,
        knownHosts: "strict",
      },
      tunnel: { localPortRange: [39000, 39999], connectTimeoutMs: 15000, healthTimeoutMs: 5000, keepaliveMs: 5000 },
      providers: {},
    });
  }
});

it("fills in the defaults of hosts inside providers, and keeps the order of the hosts", () => {
  const config = parseConfig(withHosts(host, { name: "other" }));
  expect(configuredHosts(config)).toEqual([
    { provider: "default", host: { ...host, labels: [], readRoots: [], env: {} } },
    { provider: "default", host: { name: "other", aliases: [], labels: [], readRoots: [], env: {}, ssh: {} } },
  ]);
});

it("leaves the user's own object as it was", () => {
  const options = withHosts({ name: "one" });
  parseConfig(options);
  expect(options).toEqual(withHosts({ name: "one" }));
});

it.each([
  ["an unknown key", { instalRoot: "x" }, "instalRoot"],
  ["an unknown key far inside", withHosts({ ...host, ssh: { hots: "x" } }), "providers.default.hosts[0].ssh.hots"],
  ["a port that is text", withHosts({ ...host, ssh: { port: "22" } }), "providers.default.hosts[0].ssh.port"],
  ["a port that no host has", withHosts({ ...host, ssh: { port: 70000 } }), "providers.default.hosts[0].ssh.port"],
  ["a host without a name", withHosts({}), "providers.default.hosts[0].name"],
  ["a name that would be a path", withHosts({ name: "../x" }), "providers.default.hosts[0].name"],
  ["a name that would be an option", withHosts({ name: "-oProxyCommand=x" }), "providers.default.hosts[0].name"],
  ["an environment value that is no text", withHosts({ ...host, env: { A: 1 } }), "providers.default.hosts[0].env.A"],
  ["a variable with a space", withHosts({ ...host, env: { "A B": "1" } }), "providers.default.hosts[0].env.A B"],
  ["a strategy that does not exist", { defaults: { strategy: "fastest" } }, "defaults.strategy"],
  ["turning known_hosts off", { defaults: { knownHosts: "off" } }, "defaults.knownHosts"],
  ["ports that run backwards", { tunnel: { localPortRange: [40000, 39000] } }, "tunnel.localPortRange"],
  ["a time that is text", { tunnel: { connectTimeoutMs: "15s" } }, "tunnel.connectTimeoutMs"],
  ["sshConfig: true", { sshConfig: true }, "sshConfig"],
  ["a provider with a slash", { providers: { "a/b": {} } }, "providers.a/b"],
])("refuses %s and names its path", (_, options, path) => {
  const error = refusal(options);
  expect(error.code).toBe("config_invalid");
  expect(error.message.startsWith(`${path}: `)).toBe(true);
  expect(error.details).toEqual({ path });
});

it("says which values it would have taken", () => {
  expect(refusal({ defaults: { strategy: "fastest" } }).message).toContain('"first_available", "least_loaded"');
  expect(refusal({ defaults: { knownHosts: "off" } }).message).toContain('must be "strict"');
});

it("refuses a name that another host has as its alias, and says where", () => {
  const error = refusal({ providers: { a: { hosts: [host] }, b: { hosts: [{ name: "web" }] } } });
  expect(error.message).toBe('providers.b.hosts[0].name: "web" is already used at providers.a.hosts[0].aliases[0]');
});

it.each([["text"], [5], [[]], [true]])("refuses %j in the place of the options", (options) => {
  expect(refusal(options).message).toBe("the plugin's options: must be object");
});
