// Our reading of ssh_config, held against the real `ssh -G`.
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { homedir, tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { SshConfig } from "../../plugin/config/ssh-config.js";

const run = promisify(execFile);

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "ocr-sshconfig-"));
  await mkdir(join(directory, "inc"));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

async function real(file: string, alias: string): Promise<Map<string, string[]>> {
  const { stdout } = await run("ssh", ["-G", "-F", file, alias]);
  const settings = new Map<string, string[]>();
  for (const line of stdout.trim().split("\n")) {
    const [key = "", ...value] = line.split(" ");
    settings.set(key, [...(settings.get(key) ?? []), value.join(" ")]);
  }
  return settings;
}

function ours(file: string, alias: string) {
  const localUser = userInfo().username;
  const computed = SshConfig.read({ home: homedir(), file, only: true, localUser }).computeHost(alias);
  return {
    hostname: (computed.first("hostname") ?? alias).replaceAll("%h", alias),
    user: computed.first("user") ?? localUser,
    port: computed.first("port") ?? "22",
    proxyjump: computed.first("proxyjump"),
    hostkeyalias: computed.first("hostkeyalias"),
    identitiesonly: computed.first("identitiesonly") ?? "no",
    identityfile: computed.all("identityfile"),
  };
}

async function same(file: string, alias: string): Promise<void> {
  const expected = await real(file, alias);
  const actual = ours(file, alias);
  const one = (key: string) => expected.get(key)?.[0];
  expect(actual).toEqual({
    hostname: one("hostname"),
    user: one("user"),
    port: one("port"),
    proxyjump: one("proxyjump"),
    hostkeyalias: one("hostkeyalias"),
    identitiesonly: one("identitiesonly"),
    // without any, ssh lists its standard files
    identityfile: actual.identityfile.length === 0 ? [] : expected.get("identityfile"),
  });
}

it("reads quotes, comments, equal signs, tabs and CRLF as ssh does", async () => {
  const file = join(directory, "syntax");
  await writeFile(
    file,
    [
      "# a comment",
      "HOST=one two",
      '\tHostName\t"one.example"',
      "  user = me # the user",
      "  Port=2201",
      '  IdentityFile "/tmp/my key"',
      "  IdentityFile /tmp/second",
      "",
      "host  three \t four\r",
      "  hostname three.example\r",
      "  IdentitiesOnly yes\r",
      "Host t* !two",
      "  HostKeyAlias tee",
      "  Port 2202",
    ].join("\n"),
  );
  for (const alias of ["one", "two", "three", "four", "five", "tree"]) await same(file, alias);
});

it("applies includes inside blocks only where the block applies, as ssh does", async () => {
  const file = join(directory, "including");
  await writeFile(join(directory, "inc/a"), "Port 1001\nHost box\n  User included\n");
  await writeFile(join(directory, "inc/b"), `Host *\n  HostKeyAlias second\nInclude ${directory}/inc/a\n`);
  await writeFile(file, `Host box\n  Include ${directory}/inc/*\nHost other\n  User o\nHost *\n  Port 7\n`);
  for (const alias of ["box", "other", "third"]) await same(file, alias);
});

it("decides Match by host, original host and user as ssh does", async () => {
  const file = join(directory, "match");
  await writeFile(
    file,
    [
      "Host alias",
      "  HostName real.example",
      "Match host real.example",
      "  Port 2001",
      "Match originalhost alias user nobody-at-all",
      "  HostKeyAlias never",
      "Match !host real.example",
      "  Port 2002",
      `Match localuser ${userInfo().username}`,
      "  User matched",
      "Match user matched host *.example",
      "  HostKeyAlias both",
      "Match all",
      "  IdentitiesOnly yes",
    ].join("\n"),
  );
  for (const alias of ["alias", "real.example", "x"]) await same(file, alias);
});

it("agrees with ssh on random files", async () => {
  const name = fc.constantFrom("a", "b", "ab", "a.b");
  const pattern = fc.oneof(name, fc.constantFrom("*", "a*", "?", "!a", "*.b", "!a.b"));
  const setting = fc.oneof(
    name.map((value) => `HostName ${value}`),
    name.map((value) => `User ${value}`),
    fc.integer({ min: 1, max: 9999 }).map((value) => `Port ${value}`),
    name.map((value) => `IdentityFile /k/${value}`),
    name.map((value) => `ProxyJump jump-${value}`),
    name.map((value) => `HostKeyAlias ${value}`),
  );
  const header = fc.oneof(
    fc.array(pattern, { minLength: 1, maxLength: 3 }).map((patterns) => `Host ${patterns.join(" ")}`),
    fc.array(pattern, { minLength: 1, maxLength: 2 }).map((patterns) => `Match host ${patterns.join(",")}`),
    fc.array(pattern, { minLength: 1, maxLength: 2 }).map((patterns) => `Match originalhost ${patterns.join(",")}`),
    name.map((value) => `Match user ${value}`),
    name.map((value) => `Match !originalhost ${value}`),
  );
  const block = fc
    .tuple(header, fc.array(setting, { maxLength: 3 }))
    .map(([head, body]) => [head, ...body].join("\n  "));
  const config = fc.array(block, { maxLength: 5 }).map((blocks) => `${blocks.join("\n")}\n`);
  const file = join(directory, "random");
  await fc.assert(
    fc.asyncProperty(config, name, async (text, alias) => {
      await writeFile(file, text);
      await same(file, alias);
    }),
    { numRuns: 60 },
  );
});
