import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { parseConfig } from "./parse-config.js";
import { type ResolveOptions, resolveHost, sshConfigAliases } from "./resolve-host.js";

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "ocr-resolve-"));
  await mkdir(join(home, ".ssh/conf.d"), { recursive: true });
});
afterEach(() => rm(home, { recursive: true, force: true }));

const sshConfig = (text: string) => writeFile(join(home, ".ssh/config"), text);
const key = (name: string) => writeFile(join(home, ".ssh", name), "");
const options = (more: Partial<ResolveOptions> = {}, config: unknown = {}): ResolveOptions => ({
  config: parseConfig(config),
  home,
  env: { USER: "me" },
  ...more,
});
const hosts = (...list: unknown[]) => ({ providers: { default: { hosts: list } } });

it("takes user@host:port as it stands, with the keys that exist", async () => {
  await key("id_ed25519");
  expect(
    resolveHost("ops@203.0.113.5:2222", options({ env: { USER: "me", SSH_AUTH_SOCK: "/run/agent" } })),
  ).toMatchObject({
    name: "ops@203.0.113.5:2222",
    host: "203.0.113.5",
    port: 2222,
    user: "ops",
    identityFiles: [join(home, ".ssh/id_ed25519")],
    agent: "/run/agent",
    jumps: [],
  });
  expect(resolveHost("[2001:db8::1]:22", options())).toMatchObject({ host: "2001:db8::1", port: 22, user: "me" });
  expect(resolveHost("plain.example", options())).toMatchObject({ host: "plain.example", port: 22 });
});

it("finds a host of the plugin's configuration by name and by alias", () => {
  const config = hosts({
    name: "prod",
    aliases: ["web"],
    directory: "/srv/app",
    readRoots: ["/opt"],
    env: { A: "1" },
    init: "module load gcc",
    ssh: { host: "203.0.113.11", user: "ops", port: 2200 },
  });
  for (const name of ["prod", "web"]) {
    expect(resolveHost(name, options({}, config))).toMatchObject({
      name: "prod",
      host: "203.0.113.11",
      user: "ops",
      port: 2200,
      directory: "/srv/app",
      readRoots: ["/opt"],
      env: { A: "1" },
      init: "module load gcc",
    });
  }
});

it("lets the command line win over the configuration, and that over ssh_config", async () => {
  await sshConfig("Host box\n  HostName 10.0.0.9\n  User fromssh\n  Port 1111\n");
  const config = hosts({ name: "prod", ssh: { host: "box", user: "fromconfig" } });
  expect(resolveHost("prod", options({}, config))).toMatchObject({ host: "10.0.0.9", user: "fromconfig", port: 1111 });
  await key("special");
  const overrides = { user: "typed", port: 2, identityFile: "~/.ssh/special" };
  expect(resolveHost("prod", options({ overrides }, config))).toMatchObject({
    user: "typed",
    port: 2,
    identityFiles: [join(home, ".ssh/special")],
  });
});

it("follows includes, wildcards and tokens of ssh_config", async () => {
  await sshConfig("Include conf.d/*.conf\nHost *\n  User everybody\n");
  await writeFile(
    join(home, ".ssh/conf.d/a.conf"),
    "Host box\n  HostName %h.internal\n  IdentityFile ~/.ssh/id_%h_%r\n  IdentityAgent none\n  HostKeyAlias boxkey\n" +
      "  UserKnownHostsFile ~/.ssh/kh1 ~/.ssh/kh2\n  IdentitiesOnly yes\n",
  );
  await key("id_box.internal_everybody");
  expect(resolveHost("box", options({ env: { USER: "me", SSH_AUTH_SOCK: "/run/agent" } }))).toMatchObject({
    host: "box.internal",
    user: "everybody",
    identityFiles: [join(home, ".ssh/id_box.internal_everybody")],
    identitiesOnly: true,
    agent: undefined,
    hostKeyAlias: "boxkey",
  });
  expect(resolveHost("box", options()).knownHostsFiles.slice(0, 2)).toEqual([
    join(home, ".ssh/kh1"),
    join(home, ".ssh/kh2"),
  ]);
  expect(sshConfigAliases(options())).toEqual(["box"]);
});

it("reads chains of jumps, each hop with its own settings", async () => {
  await sshConfig(
    "Host inner\n  ProxyJump gate,ops@second:2222\nHost gate\n  HostName 10.1.1.1\n  User guard\n  ProxyJump outer\nHost outer\n  Port 99\n",
  );
  const { jumps } = resolveHost("inner", options({ overrides: { port: 7 } }));
  expect(jumps.map(({ host, port, user }) => ({ host, port, user }))).toEqual([
    { host: "outer", port: 99, user: "me" },
    { host: "10.1.1.1", port: 22, user: "guard" },
    { host: "second", port: 2222, user: "ops" },
  ]);
  expect(jumps.every((jump) => jump.jumps.length === 0)).toBe(true);
});

it("takes `ssh -W` in ProxyCommand for the jump that it is, and refuses every other program", async () => {
  await sshConfig(
    "Host a\n  ProxyCommand ssh -q -W %h:%p gate\nHost b\n  ProxyCommand nc %h %p\nHost c\n  ProxyCommand none\n",
  );
  expect(resolveHost("a", options()).jumps).toMatchObject([{ host: "gate" }]);
  expect(() => resolveHost("b", options())).toThrow(expect.objectContaining({ code: "proxy_failed" }));
  expect(resolveHost("c", options()).jumps).toEqual([]);
});

it("refuses jumps that lead in a circle", async () => {
  await sshConfig("Host a\n  ProxyJump b\nHost b\n  ProxyJump a\n");
  expect(() => resolveHost("a", options())).toThrow(expect.objectContaining({ code: "proxy_failed" }));
});

it("runs nothing for Match exec, and does not take it for true, negated or not", async () => {
  const trap = join(home, "ran");
  await sshConfig(
    `Match exec "touch ${trap}"\n  Port 1\nMatch !exec "touch ${trap}"\n  Port 2\nMatch host box\n  Port 3\n`,
  );
  expect(resolveHost("box", options()).port).toBe(3);
  await expect(import("node:fs/promises").then((fs) => fs.stat(trap))).rejects.toMatchObject({ code: "ENOENT" });
});

it("decides a Match block where it begins, whatever is set inside it", async () => {
  await sshConfig("Match host box\n  HostName elsewhere\n  Port 9\n");
  expect(resolveHost("box", options())).toMatchObject({ host: "elsewhere", port: 9 });
});

it("reads only the file of -F, and refuses one that is not there", async () => {
  await sshConfig("Host box\n  Port 1\n");
  const other = join(home, "other");
  await writeFile(other, "Host box\n  Port 2\n");
  expect(resolveHost("box", options({ sshConfigFile: other })).port).toBe(2);
  expect(resolveHost("box", options({}, { sshConfig: false })).port).toBe(22);
  expect(() => resolveHost("box", options({ sshConfigFile: join(home, "none") }))).toThrow(
    expect.objectContaining({ code: "config_invalid" }),
  );
});

it("refuses a missing identity file that was named, and passes over one that ssh_config names", async () => {
  await sshConfig("Host box\n  IdentityFile ~/.ssh/gone\n  IdentityFile ~/.ssh/there\n");
  await key("there");
  expect(resolveHost("box", options()).identityFiles).toEqual([join(home, ".ssh/there")]);
  expect(() => resolveHost("box", options({ overrides: { identityFile: "~/.ssh/gone" } }))).toThrow(
    expect.objectContaining({ code: "identity_unreadable", details: { file: join(home, ".ssh/gone") } }),
  );
});

it.each([
  "",
  "a b",
  "a/b",
  "-oProxyCommand=sh",
  "host:0",
  "host:99999",
  "us er@host",
  "host;id",
  "ho\u001b[31mst",
  "@host",
])("refuses %j as a host", (name) => {
  expect(() => resolveHost(name, options())).toThrow(expect.objectContaining({ code: "host_unknown" }));
});

it("never lets control characters of a name through to a terminal", () => {
  expect(() => resolveHost("ho\u001b[31mst", options())).toThrow(/^ho\?\[31mst: /);
});

it("suggests the configured name that was probably meant, and still tries what was typed", () => {
  const config = hosts({ name: "staging", aliases: ["stage"] });
  expect(resolveHost("stagign", options({}, config))).toMatchObject({ host: "stagign", didYouMean: "staging" });
  expect(resolveHost("database", options({}, config)).didYouMean).toBeUndefined();
  expect(() => resolveHost("stag/ing", options({}, config))).toThrow(
    expect.objectContaining({ code: "host_unknown", hint: "did you mean staging?" }),
  );
});

it("names file and reason of an ssh_config that does not parse", async () => {
  await sshConfig('Host "box\n  Port 1\n');
  expect(() => resolveHost("box", options())).toThrow(
    expect.objectContaining({ code: "config_invalid", message: expect.stringContaining(join(home, ".ssh/config")) }),
  );
});
