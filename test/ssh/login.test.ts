// Logging in: agent, identity files, passphrases; and what is said when it fails.
import { chmod, copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import ssh2 from "ssh2";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openTransport } from "../../plugin/ssh/ssh2/open.js";
import type { OpenOptions, ResolvedHost } from "../../plugin/ssh/transport.js";
import type { RemoteError } from "../../protocol/errors.js";
import { startAgent } from "./fixtures/agent.js";
import { makeKey } from "./fixtures/keys.js";
import { hasSshd, type Sshd, sshdReason, startSshd } from "./fixtures/sshd.js";
import { isRoot } from "./fixtures/users.js";

const OPTIONS: OpenOptions = { connectTimeoutMs: 10_000, keepaliveMs: 5_000 };

describe.skipIf(!hasSshd)(`logging in (${sshdReason})`, () => {
  let directory: string;
  let sshd: Sshd;
  const file = (name: string) => join(directory, name);
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "ocr-login-"));
    const authorizedKeys = await Promise.all([
      makeKey(file("rsa"), { type: "rsa" }),
      makeKey(file("ecdsa"), { type: "ecdsa" }),
      makeKey(file("locked"), { passphrase: "open sesame" }),
      makeKey(file("locked-rsa"), { type: "rsa", passphrase: "open sesame" }),
    ]);
    await makeKey(file("stranger"));
    await makeKey(file("locked-stranger"), { passphrase: "open sesame" });
    sshd = await startSshd({ authorizedKeys, extraConfig: "MaxAuthTries 20" });
  });
  afterAll(async () => {
    await sshd.stop();
    await rm(directory, { recursive: true, force: true });
  });

  const withKeys = (...identityFiles: string[]): ResolvedHost => ({ ...sshd.resolved, identityFiles });
  const login = async (host: ResolvedHost, options: Partial<OpenOptions> = {}) => {
    await (await openTransport(host, { ...OPTIONS, ...options })).close();
  };
  const failure = (host: ResolvedHost, options: Partial<OpenOptions> = {}): Promise<RemoteError> =>
    login(host, options).then(
      () => Promise.reject(new Error("it logged in")),
      (error: RemoteError) => error,
    );

  it.each(["ed25519", "rsa", "ecdsa"])("logs in with an %s key", async (name) => {
    await login(withKeys(name === "ed25519" ? sshd.identityFile : file(name)));
  });

  it("logs in with a key that has no .pub beside it, also an encrypted one (row 14)", async () => {
    for (const name of ["alone", "alone-locked"]) {
      await copyFile(name === "alone" ? sshd.identityFile : file("locked"), file(name));
      await login(withKeys(file(name)), { askPassphrase: async () => "open sesame" });
    }
  });

  it("says auth_failed for a key that the host does not know, with what was tried and what the host accepts", async () => {
    const error = await failure(withKeys(file("stranger")));
    expect(error.code).toBe("auth_failed");
    expect(error.details).toMatchObject({
      tried: [{ source: file("stranger"), fingerprint: expect.stringMatching(/^SHA256:/) }],
      accepts: ["publickey"],
    });
  });

  it("tries each key once and the connection once: a refused login is not repeated", async () => {
    await using strict = await startSshd();
    await failure({ ...strict.resolved, identityFiles: [file("stranger"), file("rsa")] });
    const log = await strict.log();
    expect(log.match(/Failed publickey/g)).toHaveLength(2);
    expect(log.match(/Connection from .* port .* on/g)).toHaveLength(1 + 1);
  });

  it("says auth_failed when the host hangs up because too many keys were tried", async () => {
    await using strict = await startSshd({ extraConfig: "MaxAuthTries 1" });
    const error = await failure({ ...strict.resolved, identityFiles: [file("stranger"), file("rsa")] });
    expect(error.code).toBe("auth_failed");
    expect(error.message).toContain("Too many authentication failures");
  });

  it("says auth_failed and what the host accepts when there is no key at all", async () => {
    const error = await failure(withKeys());
    expect(error).toMatchObject({ code: "auth_failed", details: { tried: [], accepts: ["publickey"] } });
  });

  it("opens an encrypted key with the passphrase that a person types, and gives them the time for it", async () => {
    const asked: string[] = [];
    await login(withKeys(file("locked")), {
      connectTimeoutMs: 4_000,
      askPassphrase: async (identityFile) => {
        asked.push(identityFile);
        await new Promise((resolve) => setTimeout(resolve, 4_500));
        return "open sesame";
      },
    });
    expect(asked).toEqual([file("locked")]);
  });

  it("does not ask for the passphrase of a key that the host would not take, nor of one that is not needed", async () => {
    const askPassphrase = () => Promise.reject(new Error("nobody should be asked"));
    await login(withKeys(file("locked-stranger"), sshd.identityFile), { askPassphrase });
    await login(withKeys(sshd.identityFile, file("locked")), { askPassphrase });
    expect(await failure(withKeys(file("locked-stranger")), { askPassphrase })).toMatchObject({ code: "auth_failed" });
  });

  it("says passphrase_required where nobody can be asked, or the user gave up", async () => {
    const expected = { code: "passphrase_required", details: { file: file("locked") } };
    expect(await failure(withKeys(file("locked")))).toMatchObject(expected);
    expect(await failure(withKeys(file("locked")), { askPassphrase: async () => undefined })).toMatchObject(expected);
  });

  it("says passphrase_wrong after three wrong ones; ssh2 by itself throws out of connect()", async () => {
    let asked = 0;
    const askPassphrase = async () => `wrong ${++asked}`;
    for (const name of ["locked", "locked-rsa"]) {
      asked = 0;
      const error = await failure(withKeys(file(name)), { askPassphrase });
      expect(error).toMatchObject({ code: "passphrase_wrong", details: { file: file(name) } });
      expect(error.message).not.toContain("wrong 1");
      expect(asked).toBe(3);
    }
    const { readFile } = await import("node:fs/promises");
    const privateKey = await readFile(file("locked"));
    const naive = { host: sshd.host, port: sshd.port, username: sshd.user, privateKey, passphrase: "wrong" };
    expect(() => new ssh2.Client().connect(naive)).toThrow();
  });

  it("takes the second passphrase when the first was mistyped", async () => {
    const answers = ["open seasme", "open sesame"];
    await login(withKeys(file("locked")), { askPassphrase: async () => answers.shift() });
    expect(answers).toEqual([]);
  });

  it("opens old encrypted PEM keys as well, with and without a .pub", async () => {
    const { execFile } = await import("node:child_process");
    const { promisify } = await import("node:util");
    await copyFile(file("rsa"), file("pem"));
    await promisify(execFile)("ssh-keygen", [
      "-q",
      "-p",
      "-m",
      "PEM",
      "-P",
      "",
      "-N",
      "open sesame",
      "-f",
      file("pem"),
    ]);
    const askPassphrase = async () => "open sesame";
    await login(withKeys(file("pem")), { askPassphrase });
    expect(await failure(withKeys(file("pem")))).toMatchObject({ code: "passphrase_required" });
    await copyFile(file("rsa.pub"), file("pem.pub"));
    await login(withKeys(file("pem")), { askPassphrase });
    expect(await failure(withKeys(file("pem")), { askPassphrase: async () => "no" })).toMatchObject({
      code: "passphrase_wrong",
    });
  });

  it("says identity_unreadable for a file that is not there, a directory, or not ours to read", async () => {
    expect(await failure(withKeys(file("gone")))).toMatchObject({
      code: "identity_unreadable",
      details: { file: file("gone") },
    });
    expect(await failure(withKeys(directory))).toMatchObject({ code: "identity_unreadable" });
    if (!isRoot) {
      await copyFile(sshd.identityFile, file("secret"));
      await chmod(file("secret"), 0);
      expect(await failure(withKeys(file("secret")))).toMatchObject({ code: "identity_unreadable" });
    }
  });

  it("tells of a file that is no key, and goes on with the next", async () => {
    await writeFile(file("prose"), "this is no key\n");
    await login(withKeys(file("prose"), sshd.identityFile));
    const error = await failure(withKeys(file("prose"), file("stranger")));
    expect(error.code).toBe("auth_failed");
    expect(error.message).toContain(`${file("prose")}: not a private key`);
  });

  it("logs in with a key that only the agent has", async () => {
    await using agent = await startAgent();
    await agent.add(sshd.identityFile);
    await login({ ...withKeys(), agent: agent.socket, identitiesOnly: false });
  });

  it("logs in by the agent where only the public half lies on disk, as IdentitiesOnly allows", async () => {
    await using agent = await startAgent();
    await agent.add(file("stranger"));
    await agent.add(sshd.identityFile);
    await copyFile(`${sshd.identityFile}.pub`, file("half.pub"));
    await login({ ...withKeys(file("half")), agent: agent.socket, identitiesOnly: true });
    const error = await failure({ ...withKeys(file("stranger")), agent: agent.socket, identitiesOnly: true });
    expect(error.details).toMatchObject({ tried: [{ source: "agent" }] });
  });

  it("tries the agent's keys before the files, those that the files name first, each key once", async () => {
    await using agent = await startAgent();
    await agent.add(file("stranger"));
    await agent.add(sshd.identityFile);
    await using other = await startSshd();
    const host = {
      ...other.resolved,
      identityFiles: [file("rsa"), sshd.identityFile],
      agent: agent.socket,
      identitiesOnly: false,
    };
    const { details } = await failure(host);
    expect((details as { tried: { source: string }[] }).tried.map((key) => key.source)).toEqual([
      "agent",
      "agent",
      file("rsa"),
    ]);
  });

  it("goes on with the files when the agent does not answer", async () => {
    await login({ ...sshd.resolved, agent: file("no-agent") });
    const error = await failure({ ...withKeys(file("stranger")), agent: file("no-agent") });
    expect(error.message).toContain("does not answer");
  });
});
