// Our reading of known_hosts, held against the real ssh-keygen and ssh.
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fingerprint, orderAlgorithms } from "../../plugin/ssh/host-key.js";
import { checkHostKey, knownKeyTypes, parseKnownHosts } from "../../plugin/ssh/known-hosts.js";
import { keyPart, makeKey } from "./fixtures/keys.js";
import { hasSshd, type Sshd, sshdReason, startSshd } from "./fixtures/sshd.js";

const run = promisify(execFile);

let directory: string;
let ed: string;
let edOther: string;
let rsa: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "ocr-known-"));
  ed = keyPart(await makeKey(join(directory, "ed")));
  edOther = keyPart(await makeKey(join(directory, "ed-other")));
  rsa = keyPart(await makeKey(join(directory, "rsa"), { type: "rsa" }));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const blob = (key: string) => Buffer.from(key.split(" ")[1] ?? "", "base64");
const check = (text: string, host: string, key: string, port = 22) =>
  checkHostKey(parseKnownHosts(text, "kh"), { host, port }, blob(key));

it("knows a host by its key, among comments, blank lines and other hosts", () => {
  const text = `# comment\n\nother ${edOther}\nhost,203.0.113.1 ${ed} a comment\n`;
  expect(check(text, "host", ed)).toEqual({ kind: "match", file: "kh", line: 4 });
  expect(check(text, "HOST", ed)).toMatchObject({ kind: "match" });
  expect(check(text, "203.0.113.1", ed)).toMatchObject({ kind: "match" });
  expect(check(text, "host2", ed)).toMatchObject({ kind: "unknown", seen: fingerprint(blob(ed)) });
});

it("says that a key changed, with file, line and both fingerprints", () => {
  expect(check(`x ${rsa}\nhost ${ed}\n`, "host", edOther)).toEqual({
    kind: "changed",
    file: "kh",
    line: 2,
    expected: fingerprint(blob(ed)),
    seen: fingerprint(blob(edOther)),
  });
});

it("takes a key of another type for unknown, not for changed, and tells which are known", () => {
  expect(check(`host ${rsa}\n`, "host", ed)).toMatchObject({
    kind: "unknown",
    others: [{ type: "ssh-rsa", file: "kh", line: 1 }],
  });
});

it("matches any of several keys of one host", () => {
  expect(check(`host ${edOther}\nhost ${rsa}\nhost ${ed}\n`, "host", ed)).toMatchObject({ kind: "match", line: 3 });
});

it("keeps ports apart: a key of [host]:2222 says nothing about port 22", () => {
  const text = `[host]:2222 ${ed}\n`;
  expect(check(text, "host", ed, 2222)).toMatchObject({ kind: "match" });
  expect(check(text, "host", ed, 22)).toMatchObject({ kind: "unknown" });
  expect(check(text, "host", ed, 2223)).toMatchObject({ kind: "unknown" });
});

it("refuses a revoked key even where another line vouches for it", () => {
  expect(check(`host ${ed}\n@revoked * ${ed}\n`, "host", ed)).toMatchObject({ kind: "revoked", line: 2 });
  expect(check(`[host]:2222 ${ed}\n@revoked host ${ed}\n`, "host", ed, 2222)).toMatchObject({ kind: "revoked" });
  expect(check(`host ${ed}\n@revoked * ${rsa}\n`, "host", ed)).toMatchObject({ kind: "match" });
});

it("does not take a certificate authority for a host key, and says why", () => {
  expect(check(`@cert-authority *.example ${ed}\n`, "a.example", ed)).toMatchObject({
    kind: "unknown",
    ignored: [{ line: 1, reason: expect.stringContaining("@cert-authority") }],
  });
});

it("never lets a damaged line vouch for a key, nor stumble over it", () => {
  const [type = "", base64 = ""] = ed.split(" ");
  const damaged = [
    `host ${type}`,
    `host ${base64}`,
    `host ssh-rsa ${base64}`,
    "host",
    `|1|x|y ${ed}`,
    `|2|a|b ${ed}`,
    `@x host ${ed}`,
  ];
  expect(check(damaged.join("\n"), "host", ed)).toMatchObject({ kind: "unknown" });
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      expect(check(text, "host", ed).kind).toBe("unknown");
    }),
  );
});

it("looks an alias up as it is, without the port", () => {
  const known = parseKnownHosts(`alias ${ed}\n[host]:2222 ${edOther}\n`, "kh");
  const at = { host: "host", port: 2222, alias: "Alias" };
  expect(checkHostKey(known, at, blob(ed))).toMatchObject({ kind: "match" });
  expect(checkHostKey(known, at, blob(edOther))).toMatchObject({ kind: "changed", line: 1 });
});

it("asks first for the types that are known for the host", () => {
  const known = parseKnownHosts(`host ${rsa}\n[host]:2222 ${ed}\n`, "kh");
  expect(orderAlgorithms(knownKeyTypes(known, { host: "host", port: 22 })).slice(0, 3)).toEqual([
    "rsa-sha2-512",
    "rsa-sha2-256",
    "ssh-rsa",
  ]);
  expect(orderAlgorithms(knownKeyTypes(known, { host: "host", port: 2222 }))[0]).toBe("ssh-ed25519");
  expect(new Set(orderAlgorithms(["ssh-rsa"]))).toEqual(new Set(orderAlgorithms([])));
});

it("prints fingerprints as ssh-keygen does", async () => {
  for (const [name, key] of [
    ["ed", ed],
    ["rsa", rsa],
  ] as const) {
    const { stdout } = await run("ssh-keygen", ["-l", "-f", join(directory, `${name}.pub`)]);
    expect(stdout.split(" ")[1]).toBe(fingerprint(blob(key)));
  }
});

it("finds the same lines as ssh-keygen -F in random files, plain and hashed by ssh-keygen -H", async () => {
  const name = fc.constantFrom("a", "b", "ab", "a.b", "[a]:2222", "[b]:22");
  const pattern = fc.oneof(
    { weight: 3, arbitrary: name },
    fc.constantFrom("*", "a*", "?", "!a", "!a.b", "[a]:*", "*.b"),
  );
  const line = fc.array(pattern, { minLength: 1, maxLength: 3 }).map((patterns) => patterns.join(","));
  const file = join(directory, "random");
  await fc.assert(
    fc.asyncProperty(fc.array(line, { minLength: 1, maxLength: 5 }), name, async (lines, wanted) => {
      await writeFile(file, lines.map((patterns) => `${patterns} ${ed}\n`).join(""));
      expect(await found(file, wanted)).toEqual(await foundByKeygen(file, wanted));
      // -H leaves lines with wildcards as they are, and splits lists into one line a name
      await run("ssh-keygen", ["-q", "-H", "-f", file]).catch(() => undefined);
      expect(await found(file, wanted)).toEqual(await foundByKeygen(file, wanted));
    }),
    { numRuns: 25 },
  );
}, 60_000);

/** Lines whose key is known for exactly this name, as ours reads them. */
async function found(file: string, name: string): Promise<number[]> {
  const { entries } = parseKnownHosts(await readFile(file, "utf8"), file);
  return entries.filter((entry) => entry.matches(name)).map((entry) => entry.line);
}

async function foundByKeygen(file: string, name: string): Promise<number[]> {
  const { stdout } = await run("ssh-keygen", ["-F", name, "-f", file]).catch((error: { stdout: string }) => error);
  return [...stdout.matchAll(/found: line (\d+)/g)].map((match) => Number(match[1]));
}

describe.skipIf(!hasSshd)(`against the real ssh client (${sshdReason})`, () => {
  let sshd: Sshd;
  beforeAll(async () => {
    sshd = await startSshd({ hostKeys: ["ed25519", "rsa"] });
  });
  afterAll(() => sshd.stop());

  async function sshAccepts(text: string): Promise<boolean> {
    const file = join(sshd.directory, "kh-real");
    await writeFile(file, text);
    const options = [
      `UserKnownHostsFile=${file}`,
      "GlobalKnownHostsFile=none",
      "StrictHostKeyChecking=yes",
      "BatchMode=yes",
    ];
    const argv = [
      "-F",
      "none",
      "-i",
      sshd.identityFile,
      "-p",
      String(sshd.port),
      ...options.flatMap((each) => ["-o", each]),
    ];
    return run("ssh", [...argv, `${sshd.user}@127.0.0.1`, "exit"]).then(
      () => true,
      () => false,
    );
  }

  it("accepts and refuses what ssh does, whatever stands under [host]:port and under the bare name", async () => {
    const [own = "", ownRsa = ""] = sshd.hostKeys.map(keyPart);
    const at = `[127.0.0.1]:${sshd.port}`;
    const files = [
      "",
      `${at} ${own}\n`,
      `127.0.0.1 ${own}\n`,
      `${at} ${edOther}\n`,
      `${at} ${edOther}\n127.0.0.1 ${own}\n`,
      `127.0.0.1 ${edOther}\n`,
      `${at} ${ownRsa}\n`,
      `127.0.0.1 ${ownRsa}\n`,
      `${at} ${edOther}\n${at} ${own}\n`,
      `*,!127.0.0.1 ${own}\n`,
      `@revoked * ${own}\n${at} ${own}\n`,
      `@cert-authority * ${own}\n`,
    ];
    for (const text of files) {
      const known = parseKnownHosts(text, "kh");
      const where = { host: "127.0.0.1", port: sshd.port };
      // the host shows the first key that the client asks for
      const shown = orderAlgorithms(knownKeyTypes(known, where))[0] === "ssh-ed25519" ? own : ownRsa;
      const verdict = checkHostKey(known, where, blob(shown));
      expect([text, verdict.kind === "match"]).toEqual([text, await sshAccepts(text)]);
    }
  });
});
