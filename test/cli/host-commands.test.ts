// `setup`, `connect`, `hosts`, `stop`: the life of a stub on a host as the CLI shows it.
import { execFile } from "node:child_process";
import { appendFile, mkdir, readFile, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hasProgram } from "../fixtures/programs.js";
import { OPENCODE } from "../opencode/fixtures/opencode.js";
import { makeKey } from "../ssh/fixtures/keys.js";
import { CliHost, canRunCli, cliReason } from "./fixtures/cli-host.js";

const execute = promisify(execFile);

describe.skipIf(!canRunCli)(`a host and its stub (${cliReason})`, () => {
  let host: CliHost;

  beforeAll(async () => {
    host = await CliHost.start();
  }, 60_000);
  afterAll(async () => {
    await host?.stop();
  }, 30_000);

  it("knows no stub to stop before the first setup, and starts none to find out", async () => {
    const result = await host.laptop.run("stop", "box");
    expect(result).toMatchObject({ status: 0, stderr: "" });
    expect(result.stdout.toString()).toBe("no stub runs there\n");
    expect(await host.stubPid()).toBeUndefined();
  });

  it.each([[["setup", "box", "--verbose"]], [["exec", "box", "--verbose", "--", "true"]]])(
    "is interrupted in the middle of an upload by %j: exit 130, and nothing half-made",
    async (words) => {
      const uploading = host.laptop.start(words);
      await uploading.says("uploading");
      uploading.child.kill("SIGINT");
      expect((await uploading.ended).status).toBe(130);
      await expect(stat(join(host.installRoot, "bin/opencode-remote-ssh-stub"))).rejects.toMatchObject({
        code: "ENOENT",
      });
      expect(await host.stubPid()).toBeUndefined();
    },
    60_000,
  );

  it("is left alone after Ctrl-C at the question for a passphrase, whatever other keys there are", async () => {
    const locked = join(host.laptop.home, "locked");
    await appendFile(host.sshd.authorizedKeysFile, `${await makeKey(locked, { passphrase: "open sesame" })}\n`);
    const asked = host.laptop.startOnTerminal(["-i", locked, "setup", "box"]);
    await asked.says("passphrase for");
    asked.type("\u0003");
    expect((await asked.ended).status).toBe(130);
    expect(await host.stubPid()).toBeUndefined();
  });

  it("is set up from nothing, with what is done on stderr only where it is wanted", async () => {
    const result = await host.laptop.run("setup", "box", "--json");
    expect(result).toMatchObject({ status: 0, stderr: "" });
    const facts = JSON.parse(result.stdout.toString());
    expect(facts).toMatchObject({
      host: "box",
      platform: "linux",
      uploaded: true,
      started: true,
      root: host.installRoot,
    });
    expect(facts.stub.pid).toBe(await host.stubPid());
    expect(facts.enforcement).toMatchObject({ level: expect.any(String), gaps: expect.any(Array) });
  }, 60_000);

  it("is left as it is by a second setup, which says so", async () => {
    const before = await host.stubPid();
    const result = await host.laptop.run("setup", "box");
    expect(result).toMatchObject({ status: 0, stderr: "" });
    expect(result.stdout.toString()).toContain("the stub was running already");
    expect(result.stdout.toString()).toMatch(/\n {2}enforcement \S+: .*; not held: \S/);
    expect(await host.stubPid()).toBe(before);
  });

  it("answers curl through connect, and forgets the approver when that ends", async () => {
    const connect = host.laptop.start(["connect", "box", "--json"]);
    await connect.says("}\n");
    const { url, token, approver, stub, ...rest } = JSON.parse(connect.output().toString());
    expect(rest).toMatchObject({ host: "box", timings: { ssh: expect.any(Number), ready: expect.any(Number) } });
    expect(stub.pid).toBe(await host.stubPid());
    const headers = { authorization: `Bearer ${token}` };
    const health = await (await fetch(`${url}/global/health`, { headers })).json();
    expect(health).toMatchObject({ healthy: true, stub: { instanceID: stub.instanceID } });
    expect((await fetch(`${url}/global/health`)).status).toBe(401);
    const workspace = { type: "curl", directory: "~/curled" };
    await mkdir(join(host.sshd.home, "curled"), { recursive: true });
    const create = (secret: Record<string, string>) =>
      fetch(`${url}/experimental/workspace`, {
        method: "POST",
        headers: { ...headers, ...secret, "content-type": "application/json" },
        body: JSON.stringify(workspace),
      });
    expect((await create({})).status).toBe(403);
    expect((await create({ "x-approver": approver })).status).toBe(200);
    connect.child.kill("SIGINT");
    expect(await connect.ended).toMatchObject({ status: 0, stderr: "" });
    await expect(fetch(`${url}/global/health`, { headers })).rejects.toThrow();
    // The same stub does not take that secret any more.
    const again = host.laptop.start(["connect", "box", "--json"]);
    await again.says("}\n");
    const second = JSON.parse(again.output().toString());
    expect(second.stub.instanceID).toBe(stub.instanceID);
    expect(second.approver).not.toBe(approver);
    const dead = await fetch(`${second.url}/permission`, { headers: { ...headers, "x-approver": approver } });
    expect(await dead.json()).toMatchObject({ code: "approver_expired" });
    again.child.kill("SIGTERM");
    expect((await again.ended).status).toBe(0);
  }, 60_000);

  it.skipIf(!hasProgram("curl"))(
    "gives people a curl line that works as it stands and holds no secret (needs curl)",
    async () => {
      const connect = host.laptop.start(["connect", "box"]);
      await connect.says("Ctrl-C ends it.");
      const said = connect.output().toString();
      const line = /^ {2}(curl .*)$/m.exec(said)?.[1] ?? "";
      const file = /@(\S+)/.exec(line)?.[1] ?? "";
      const [, token = ""] = /Bearer (\S+)/.exec(await readFile(file, "utf8")) ?? [];
      expect(token).toMatch(/^[0-9a-f]{64}$/);
      expect(said).not.toContain(token);
      expect((await stat(file)).mode & 0o777).toBe(0o600);
      const { stdout } = await execute("sh", ["-c", `${line.replace("curl", "curl -s")}`]);
      expect(JSON.parse(stdout)).toMatchObject({ healthy: true });
      connect.child.kill("SIGINT");
      expect((await connect.ended).status).toBe(0);
      await expect(stat(dirname(file))).rejects.toMatchObject({ code: "ENOENT" });
    },
    60_000,
  );

  it("is not stopped while a command runs, unless forced: then the command goes on", async () => {
    const project = join(host.sshd.home, "goes-on");
    await mkdir(project);
    const text = "echo ready; sleep 4; touch survived";
    const running = host.laptop.start(["exec", "box", "--cwd", project, "--", text]);
    await running.says("ready");
    const refused = await host.laptop.run("stop", "box");
    expect(refused.status).toBe(1);
    expect(refused.stderr).toMatch(/^error EBUSY: 1 command runs under the stub\nhint: .*--force.*\n$/);
    const pid = await host.stubPid();
    const forced = await host.laptop.run("stop", "box", "--force", "--json");
    expect(JSON.parse(forced.stdout.toString())).toEqual({ host: "box", stopped: true, pid });
    // Its client hears the end of the stub that goes, or finds the command again by one that it starts.
    expect((await running.ended).status).toBe(0);
    expect((await stat(join(project, "survived"))).isFile()).toBe(true);
    expect(await host.stubPid()).not.toBe(pid);
  }, 60_000);

  it("is stopped when nothing runs, and a command afterwards starts the stub again without an upload", async () => {
    expect((await host.laptop.run("setup", "box")).status).toBe(0);
    expect((await host.laptop.run("stop", "box")).stdout.toString()).toMatch(/^stopped the stub \(pid \d+\)\n$/);
    expect(await host.stubPid()).toBeUndefined();
    const result = await host.laptop.start(["exec", "--verbose", "box", "--", "echo back"]).ended;
    expect(result.status).toBe(0);
    expect(result.stdout.toString()).toBe("back\n");
    expect(result.stderr).toContain("starting the stub");
    expect(result.stderr).not.toContain("uploading");
  }, 60_000);

  it("is listed with the others, in words and as JSON", async () => {
    await host.laptop.configure({
      providers: {
        default: { hosts: [{ name: "prod-web-1", aliases: ["web"], labels: ["linux"], directory: "/srv/app" }] },
      },
    });
    const words = await host.laptop.run("hosts");
    expect(words.stdout.toString()).toBe(
      "prod-web-1, web  /srv/app  linux  plugin configuration\nbox                               ssh_config\n",
    );
    const { stdout } = await host.laptop.run("hosts", "--json");
    expect(JSON.parse(stdout.toString())).toMatchObject([
      { name: "prod-web-1", aliases: ["web"], source: "config", directory: "/srv/app" },
      { name: "box", source: "ssh_config" },
    ]);
  });

  it("shows one line that changes on a terminal, and clears it", async () => {
    const setup = host.laptop.startOnTerminal(["setup", "box"]);
    const result = await setup.ended;
    expect(result.status).toBe(0);
    const shown = result.stdout.toString();
    expect(shown).toContain("\r\u001b[Kconnecting to box");
    expect(shown).toContain("\r\u001b[Kbox (");
  });

  it("leaves nothing on the terminal behind an error", async () => {
    const open = host.laptop.startOnTerminal(["open", "box:/nowhere"], {
      PATH: `${dirname(OPENCODE)}:${process.env.PATH}`,
    });
    const { status, stdout } = await open.ended;
    expect(status).toBe(1);
    const lines = stdout.toString().split("\n");
    expect(lines.filter((line) => line.includes("error cwd_missing"))).toHaveLength(1);
    expect(lines.at(-1)?.split("\r\u001b[K").at(-1)).toBe("");
  });
});
