// `status`: what this laptop knows, and what runs on a host; it changes nothing there.
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { inFlightDirectory } from "../../plugin/laptop/in-flight.js";
import { newID } from "../../protocol/ids.js";
import { CliHost, canRunCli, cliReason } from "./fixtures/cli-host.js";

describe.skipIf(!canRunCli)(`status (${cliReason})`, () => {
  let host: CliHost;
  let project: string;
  beforeAll(async () => {
    host = await CliHost.start();
    project = join(host.sshd.home, "project");
    await mkdir(project);
  }, 60_000);
  afterAll(async () => {
    await host?.stop();
  }, 30_000);

  const status = async (...words: string[]) => {
    const result = await host.laptop.run("status", ...words);
    return { ...result, text: result.stdout.toString() };
  };

  it("says that no stub runs, and puts none there to find out", async () => {
    expect(await status()).toMatchObject({
      status: 0,
      text: "",
      stderr: expect.stringContaining("no host was used yet"),
    });
    expect(await status("box")).toMatchObject({ status: 0, text: "box: no stub runs there\n", stderr: "" });
    expect(existsSync(host.installRoot)).toBe(false);
    expect(JSON.parse((await status("box", "--json")).text)).toEqual({ host: "box", stub: null, left: [] });
  }, 60_000);

  it("shows what runs, what has ended and how, and what nobody received the end of", async () => {
    const title = `sh -c 'sleep 300; echo \x1b[31m'`;
    await host.laptop.run("exec", "box", "--cwd", project, "--", "seq 1 1000; exit 3");
    const running = host.laptop.start(["exec", "box", "--cwd", project, "--", `echo on; ${title}`]);
    await running.says("on");
    const facts = JSON.parse((await status("box", "--json")).text);
    const pid = await host.stubPid();
    expect(facts).toMatchObject({
      host: "box",
      stub: {
        health: { healthy: true, lease: null, stub: { pid } },
        running: [{ state: "running", cwd: project }],
        recent: [{ state: "exited", exit: 3, output: { stdout: 3893, stderr: 0 } }],
        workspaces: [{ directory: project }],
      },
      left: [],
    });
    expect(facts.stub.latencyMs).toBeGreaterThan(0);
    const [ended] = facts.stub.recent;

    // as an OpenCode that was killed leaves it
    const directory = inFlightDirectory(host.laptop.state);
    await mkdir(directory, { mode: 0o700 });
    const owner = { machine: hostname(), pid: 1, start: "none" };
    const entry = { commandID: ended.commandID, sessionID: newID("ses"), host: "box", title: "seq" };
    const left = { ...entry, started: Date.now(), owner, left: false, told: false };
    await writeFile(join(directory, `${ended.commandID}.json`), JSON.stringify(left));
    const { text } = await status("box");
    const lines = text.split("\n");
    expect(lines[0]).toMatch(new RegExp(`^box \\(.*\\): stub 0\\.1\\.0, pid ${pid}, up `));
    expect(lines[1]).toMatch(/^ {2}round trip \d+\.\d ms, lease/);
    expect(lines[2]).toMatch(/^ {2}enforcement [\w+]+: /);
    const [on, off] = [lines.indexOf("running"), lines.indexOf("ended")];
    expect(lines[on + 1]).toMatch(/^ {2}cmd_\w+ {2}running .*since .*sleep 300/);
    expect(lines[off + 1]).toMatch(new RegExp(`^\\* ${ended.commandID}  exit 3 .* ago, took .* 3\\.9 kB`));
    expect(text).not.toContain("\x1b");
    expect((await status()).text).toMatch(/^box +used .* ago .*stub 0\.1\.0 +1 left behind: status box\n$/);
    running.child.kill("SIGINT");
    await running.ended;
  }, 120_000);

  it("is told what is wrong, as every command tells it", async () => {
    expect(await status("box", "other")).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/^error usage: .*\n/),
    });
    expect(await status("nobody@127.0.0.1:1")).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/^error host_unreachable: .*\nhint: .*\n$/),
    });
    expect((await status("--help")).text).toContain("usage: opencode-remote-ssh [options] status [HOST]");
  }, 60_000);
});
