// A command of `exec` that wants what was not approved while it runs: the question is on the real terminal, and the answer is what
// the command goes on with. The path is never in its text, so that nothing could ask before it ran.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CliHost, canRunCli, cliReason } from "./fixtures/cli-host.js";

const QUESTION = "[o]nce, [a]lways, [r]eject?";

describe.skipIf(!canRunCli)(`exec on a terminal (${cliReason})`, () => {
  let host: CliHost;
  let project: string;
  let outside: string;
  beforeAll(async () => {
    host = await CliHost.start();
    project = await host.project();
    outside = join(host.sshd.home, "outside");
    await mkdir(outside);
    for (const name of ["one", "two", "three", "four"]) await writeFile(join(outside, name), `PRIVATE ${name}\n`);
  }, 60_000);
  afterAll(() => host?.stop());

  function read(name: string) {
    const hidden = Buffer.from(join(outside, name)).toString("base64");
    const text = `echo before; cat "$(echo ${hidden} | base64 -d)"; echo "after $?"`;
    return host.laptop.startOnTerminal(["exec", "box", "--cwd", project, "--", text]);
  }

  it("asks with the real path and what `always` would approve; the command goes on after once, fails at a rejection", async () => {
    const allowed = read("one");
    await allowed.says(QUESTION);
    const asked = allowed.output().toString();
    expect(asked).toContain(`box: read ${outside}/one (cat wants to read it)\r\n  always: all of ${outside}\r\n`);
    allowed.type("o\n");
    const yes = await allowed.ended;
    expect(yes.status).toBe(0);
    expect(yes.stdout.toString()).toContain("PRIVATE one\r\nafter 0\r\n");

    const rejected = read("one");
    await rejected.says(QUESTION);
    rejected.type("r not that\n");
    const no = await rejected.ended;
    expect(no.status).toBe(0);
    expect(no.stdout.toString()).toContain("after 1\r\n");
    expect(no.stdout.toString()).not.toContain("PRIVATE");
  });

  it("leaves the question readable when the stub is killed under it, and the answer still lets the command go on", async () => {
    const running = read("two");
    await running.says(QUESTION);
    const shown = running.output().length;
    const pid = await host.stubPid();
    process.kill(pid as number, "SIGKILL");
    while ([pid, undefined].includes(await host.stubPid())) await new Promise((resolve) => setTimeout(resolve, 50));
    // the new one knows of the command's ask: what was said of the connection by then would be over the question
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect(running.output().subarray(shown).toString()).toBe("");
    running.type("once\n");
    const { status, stdout } = await running.ended;
    expect([status, stdout.toString().split(QUESTION).length]).toEqual([0, 2]);
    expect(stdout.toString()).toContain("PRIVATE two\r\nafter 0\r\n");
  });

  it("asks nothing more after always, which is for the directory that it said", async () => {
    const first = read("three");
    await first.says(QUESTION);
    first.type("always\n");
    expect((await first.ended).stdout.toString()).toContain("PRIVATE three\r\nafter 0");
    const next = await read("four").ended;
    expect(next.stdout.toString()).toContain("before\r\nPRIVATE four\r\nafter 0\r\n");
    expect(next.stdout.toString()).not.toContain(QUESTION);
    const listed = await host.laptop.run("approvals", "box");
    expect(listed.stdout.toString()).toContain(outside);
  });

  it("says in one line that a host holds commands less than before, once, and nothing where it does not", async () => {
    const run = async (...options: string[]) => {
      const { status, stderr } = await host.laptop.run("exec", "box", "--cwd", project, ...options, "--", "true");
      expect(status).toBe(0);
      return stderr;
    };
    expect(await run()).toBe("");
    await host.restartStub("--level", "static");
    expect(await run()).toMatch(/^warning: box holds commands less than before \(\S+\): enforcement static: .*\n$/);
    expect(await run()).toBe("");
    await host.restartStub();
    expect(await run()).toBe("");
    expect(await run("--unconfined", "--yes")).toBe("");
    expect(await readFile(join(host.laptop.state, "hosts.json"), "utf8")).toContain('"enforcement"');
  });
});
