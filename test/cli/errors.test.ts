// What goes wrong is one line with a code, a hint and a status; no host is needed to be wrong.

import { writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeKey } from "../ssh/fixtures/keys.js";
import { hasSshd, type Sshd, sshdReason, startSshd } from "../ssh/fixtures/sshd.js";
import { Laptop } from "./fixtures/cli-host.js";

describe("the command line", () => {
  let laptop: Laptop;

  beforeAll(async () => {
    laptop = await Laptop.make();
  });
  afterAll(async () => {
    await laptop.remove();
  });

  it("explains itself", async () => {
    const help = await laptop.run("--help");
    expect(help).toMatchObject({ status: 0, stderr: "" });
    for (const command of ["open HOST", "connect HOST", "exec HOST", "hosts", "setup HOST", "stop HOST"]) {
      expect(help.stdout.toString()).toContain(command);
    }
    const exec = await laptop.run("exec", "--help");
    expect(exec.stdout.toString()).toContain("--timeout SECONDS");
    const version = await laptop.run("--version");
    expect(version.stdout.toString()).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it("lists no command that is not built, and refuses it", async () => {
    const help = (await laptop.run("--help")).stdout.toString();
    for (const later of ["doctor", "steal", "uninstall", "anchor-shell"]) expect(help).not.toContain(later);
    expect(await laptop.run("doctor", "box")).toMatchObject({ status: 2 });
  });

  it.each([
    [[], "no command was given"],
    [["setup"], "setup needs a HOST"],
    [["setup", "a", "b"], 'what is "b"?'],
    [["setup", "a", "--cwd", "x"], "--cwd is no option of setup"],
    [["hosts", "--nonsense"], "--nonsense"],
    [["setup", "a", "-p", "70000"], "-p 70000"],
    [["connect", "a", "--", "true"], "takes nothing behind --"],
  ])("says what is wrong with %j, with status 2", async (words, message) => {
    const result = await laptop.run(...words);
    expect(result.status).toBe(2);
    expect(result.stderr).toMatch(/^error usage: .*\nhint: .*\n$/);
    expect(result.stderr).toContain(message);
    expect(result.stdout.length).toBe(0);
  });

  it.each([
    [["exec", "box", "ls", "-la"]],
    [["exec", "box"]],
    [["exec", "box", "--"]],
    [["exec", "box", "--env", "1=2", "--", "true"]],
    [["exec", "box", "--timeout", "soon", "--", "true"]],
  ])("exits 255 for %j, as ssh does", async (words) => {
    const result = await laptop.run(...words);
    expect(result.status).toBe(255);
    expect(result.stderr).toMatch(/^error usage: .*\nhint: .*\n$/);
  });

  it("names the path of what is wrong in the configuration", async () => {
    await laptop.configure({ providers: { default: { hosts: [{ name: "a", ssh: { port: "22" } }] } } });
    const result = await laptop.run("hosts");
    expect(result.status).toBe(1);
    expect(result.stderr).toMatch(/^error config_invalid: providers\.default\.hosts\[0\]\.ssh\.port.*\nhint: .*\n$/);
    const json = await laptop.run("hosts", "--json");
    expect(JSON.parse(json.stdout.toString())).toMatchObject({ code: "config_invalid" });
    expect(result.stderr).toContain(join(laptop.home, "config/opencode/opencode.json"));
    await laptop.configure({ sshConfig: "/no/such/ssh_config" });
    expect((await laptop.run("hosts")).stderr).toMatch(
      /^error config_invalid: sshConfig: \/no\/such\/ssh_config: no such file\n/,
    );
    await laptop.configure({});
  });

  it("does not let a host's name reach the terminal as control characters", async () => {
    const result = await laptop.run("setup", "bad\u001b[31mname");
    expect(result.status).toBe(1);
    expect(result.stderr).toContain("error host_unknown:");
    expect(result.stderr).not.toContain("\u001b");
  });

  it("says that the name does not resolve, and that nobody listens", async () => {
    expect((await laptop.run("setup", "no-such-host.invalid")).stderr).toMatch(/^error name_unresolved: /);
    const free = await listen();
    await free.close();
    const refused = await laptop.run("exec", `127.0.0.1:${free.port}`, "--", "true");
    expect(refused.status).toBe(255);
    expect(refused.stderr).toMatch(/^error host_unreachable: .*\nhint: .*\n$/);
  });

  it("says in words that there is no way to an address, and whose file -F named", async () => {
    const lost = await laptop.run("setup", "255.255.255.255");
    expect(lost.stderr).toMatch(/^error host_unreachable: 255\.255\.255\.255:22: [a-z]+ [a-z ]+.*\nhint: .*\n$/);
    const missing = await laptop.run("-F", "/no/such/config", "hosts");
    expect(missing.stderr).toMatch(/^error config_invalid: \/no\/such\/config: no such file\nhint: .*-F.*\n$/);
  });

  it("is silent when the reader of its output left, and is told of a full disk without being a defect", async () => {
    const left = await laptop.shell("cli --help | true; echo $PIPESTATUS");
    expect(left.stderr).toBe("");
    // whether it wrote before the reader left is a matter of luck
    expect(["0\n", "141\n"]).toContain(left.stdout.toString());
    const full = await laptop.shell("cli --help >/dev/full");
    expect(full.status).toBe(1);
    expect(full.stderr).toMatch(/^error output_failed: stdout: ENOSPC.*\nhint: .*\n$/);
  });

  it("tells something else on the port from an SSH server", async () => {
    const web = await listen();
    const result = await laptop.run("setup", `127.0.0.1:${web.port}`);
    expect(result.status).toBe(1);
    expect(result.stderr).toMatch(/^error not_ssh: /);
    await web.close();
  });

  it("misses OpenCode with a hint where it is not installed, and connects to nothing for it", async () => {
    const result = await laptop.start(["open", "box:/srv/app"], { env: { PATH: "/nonexistent" } }).ended;
    expect(result.status).toBe(1);
    expect(result.stderr).toMatch(/^error opencode_missing: .*\nhint: npm install -g opencode-ai.*\n$/);
  });

  it("refuses another major version of OpenCode", async () => {
    await writeFile(join(laptop.home, "opencode"), "#!/bin/sh\necho 2.0.1\n", { mode: 0o755 });
    const result = await laptop.start(["open", "box:/srv/app"], { env: { PATH: `${laptop.home}:/usr/bin:/bin` } })
      .ended;
    expect(result.status).toBe(1);
    expect(result.stderr).toMatch(/^error opencode_version: this is OpenCode 2\.0\.1; 1\.x is needed\n/);
  });
});

describe.skipIf(!hasSshd)(`an SSH server that refuses (${sshdReason})`, () => {
  let sshd: Sshd;
  let laptop: Laptop;

  beforeAll(async () => {
    [sshd, laptop] = await Promise.all([startSshd(), Laptop.make()]);
  }, 30_000);
  afterAll(async () => {
    await sshd?.stop();
    await laptop?.remove();
  });

  it("is not trusted before its key is known, whatever the key that logs in", async () => {
    const result = await laptop.run(
      "-i",
      sshd.identityFile,
      "exec",
      `${sshd.user}@127.0.0.1:${sshd.port}`,
      "--",
      "true",
    );
    expect(result.status).toBe(255);
    expect(result.stderr).toMatch(/^error host_key_unknown: .*SHA256:.*\nhint: .*\n$/);
  });

  it("refuses a key that it does not know, which ends it at once", async () => {
    await laptop.knows(sshd);
    const other = join(laptop.home, "other");
    await makeKey(other);
    await writeFile(
      join(laptop.home, "config_other"),
      `Host box\n  HostName 127.0.0.1\n  Port ${sshd.port}\n  User ${sshd.user}\n  IdentitiesOnly yes\n  UserKnownHostsFile ${sshd.knownHostsFile}\n`,
    );
    const result = await laptop.run("-F", join(laptop.home, "config_other"), "-i", other, "exec", "box", "--", "true");
    expect(result.status).toBe(255);
    expect(result.stderr).toMatch(/^error auth_failed: /);
  });

  it("is not asked with a key file that does not exist", async () => {
    const result = await laptop.run("-i", "/no/such/key", "setup", "box");
    expect(result.status).toBe(1);
    expect(result.stderr).toMatch(/^error identity_unreadable: .*\/no\/such\/key/);
  });
});

function listen(): Promise<{ port: number; close(): Promise<void> }> {
  return new Promise((resolve) => {
    const server = createServer((socket) => {
      socket.on("error", () => socket.destroy());
      socket.resume().end("HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      resolve({ port, close: () => new Promise((closed) => server.close(() => closed())) });
    });
  });
}
