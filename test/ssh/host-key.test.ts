// A host key is checked or the connection refused; a refused host learns nothing.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import ssh2 from "ssh2";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openTransport } from "../../plugin/ssh/ssh2/open.js";
import type { OpenOptions, ResolvedHost } from "../../plugin/ssh/transport.js";
import type { RemoteError } from "../../protocol/errors.js";
import { startImpostor } from "./fixtures/impostor.js";
import { keyPart, makeKey } from "./fixtures/keys.js";
import { hasSshd, type Sshd, sshdReason, startSshd } from "./fixtures/sshd.js";

const OPTIONS: OpenOptions = { connectTimeoutMs: 10_000, keepaliveMs: 5_000 };

describe.skipIf(!hasSshd)(`checking the host's key (${sshdReason})`, () => {
  let sshd: Sshd;
  let own: string;
  let ownRsa: string;
  let foreign: string;
  beforeAll(async () => {
    sshd = await startSshd({ hostKeys: ["ed25519", "rsa"] });
    [own = "", ownRsa = ""] = sshd.hostKeys.map(keyPart);
    foreign = keyPart(await makeKey(join(sshd.directory, "foreign")));
  });
  afterAll(() => sshd.stop());

  async function knowing(text: string): Promise<ResolvedHost> {
    const file = join(sshd.directory, "kh-test");
    await writeFile(file, text);
    return { ...sshd.resolved, knownHostsFiles: [join(sshd.directory, "kh-missing"), file] };
  }
  const login = async (host: ResolvedHost) => (await openTransport(host, OPTIONS)).close();
  const failure = (host: ResolvedHost): Promise<RemoteError> =>
    login(host).then(
      () => Promise.reject(new Error("it logged in")),
      (error: RemoteError) => error,
    );
  const at = () => `[127.0.0.1]:${sshd.port}`;

  it("refuses a host that nobody knows, with its fingerprint and how to add it", async () => {
    const error = await failure(await knowing(""));
    expect(error.code).toBe("host_key_unknown");
    expect(error.message).toMatch(/SHA256:[A-Za-z0-9+/]{43}/);
    expect(error.hint).toContain(`ssh -p ${sshd.port} ${sshd.user}@127.0.0.1`);
  });

  it("trusts a host under a hashed name", async () => {
    const { execFile } = await import("node:child_process");
    const { promisify } = await import("node:util");
    const file = join(sshd.directory, "kh-hashed");
    await writeFile(file, `${at()} ${own}\n`);
    await promisify(execFile)("ssh-keygen", ["-q", "-H", "-f", file]);
    expect(await readFile(file, "utf8")).toMatch(/^\|1\|/);
    await login({ ...sshd.resolved, knownHostsFiles: [file] });
  });

  it("trusts a host that is known by its rsa key only, though it has others", async () => {
    await login(await knowing(`${at()} ${ownRsa}\n`));
  });

  it("trusts a host under its HostKeyAlias", async () => {
    await login({ ...(await knowing(`box ${own}\n`)), hostKeyAlias: "box" });
    expect(await failure({ ...(await knowing(`${at()} ${own}\n`)), hostKeyAlias: "box" })).toMatchObject({
      code: "host_key_unknown",
    });
  });

  it("refuses a revoked key", async () => {
    const error = await failure(await knowing(`${at()} ${own}\n@revoked * ${own}\n`));
    expect(error).toMatchObject({ code: "host_key_revoked", details: { line: 2 } });
  });

  it("refuses a changed key with file and line, and both fingerprints", async () => {
    const error = await failure(await knowing(`# mine\n${at()} ${foreign}\n`));
    expect(error).toMatchObject({
      code: "host_key_changed",
      details: {
        file: join(sshd.directory, "kh-test"),
        line: 2,
        expected: expect.any(String),
        seen: expect.any(String),
      },
    });
    expect(error.message).toContain(`${join(sshd.directory, "kh-test")}:2`);
  });

  it("sends nothing of the login to an impostor, to whom a client that accepts any key gives the password (row 25)", async () => {
    await using impostor = await startImpostor(join(sshd.directory, "foreign"));
    const host = { ...(await knowing(`[127.0.0.1]:${impostor.port} ${own}\n`)), port: impostor.port };
    expect(await failure(host)).toMatchObject({ code: "host_key_changed" });
    expect(impostor.logins).toEqual([]);

    const naive = new ssh2.Client();
    await new Promise((resolve, reject) => {
      naive.once("ready", () => resolve(undefined));
      naive.once("error", reject);
      naive.connect({ host: "127.0.0.1", port: impostor.port, username: "ops", password: "hunter2" });
    });
    naive.end();
    expect(impostor.logins).toContain("password hunter2");
  });
});
