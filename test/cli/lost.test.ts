// `exec` on a connection that is lost: the user is told, the output is what it would have been, Ctrl-C leaves with a true word.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Mark } from "../fixtures/marked-processes.js";
import { startWan, type Wan } from "../ssh/fixtures/wan.js";
import { CliHost, canRunCli, cliReason, sshConfig } from "./fixtures/cli-host.js";

describe.skipIf(!canRunCli)(`exec over a link that is lost (${cliReason})`, () => {
  let host: CliHost;
  let wan: Wan;
  let project: string;
  beforeAll(async () => {
    host = await CliHost.start();
    wan = await startWan({ target: host.sshd.port });
    const direct = sshConfig(host.sshd, "box");
    const far = direct.replace(
      `Port ${host.sshd.port}`,
      `Port ${wan.port}\n  HostKeyAlias [127.0.0.1]:${host.sshd.port}`,
    );
    await writeFile(join(host.laptop.home, ".ssh/config"), far);
    project = await host.project();
  }, 120_000);
  afterAll(async () => {
    await wan?.stop();
    await host?.stop();
  }, 30_000);

  const start = (command: string, { env } = new Mark()) =>
    host.laptop.start(["exec", "box", "--cwd", project, "--env", `TEST_MARK=${env.TEST_MARK}`, "--", command]);

  it("says on stderr that it reconnects and that it is back; stdout is as if nothing had been (row 16)", async () => {
    const run = start("seq 1 300; while [ ! -e go ]; do sleep 0.05; done; seq 301 600; exit 4");
    await run.says("\n300\n");
    wan.cut({ refuse: true });
    await run.says("reconnecting to box…\n");
    wan.resume();
    await run.says("connected to box again\n");
    await writeFile(join(project, "go"), "");
    const { status, stdout, stderr } = await run.ended;
    expect(stdout.toString()).toBe(Array.from({ length: 600 }, (_, index) => `${index + 1}\n`).join(""));
    expect({ status, stderr }).toEqual({ status: 4, stderr: "reconnecting to box…\nconnected to box again\n" });
  }, 60_000);

  it("leaves at the first Ctrl-C while it reconnects, and says that the command may still run, by its id", async () => {
    const mark = new Mark();
    const run = start("echo on; exec sleep 300", mark);
    await run.says("on\n");
    wan.cut({ refuse: true });
    await run.says("reconnecting to box…\n");
    run.child.kill("SIGINT");
    const { status, stderr } = await run.ended;
    expect(status).toBe(130);
    const [, commandID] = /the command may still be running there \((cmd_\w+)\)\n$/.exec(stderr) ?? [];
    const pids = await mark.pids();
    expect(pids).toHaveLength(1);
    wan.resume();
    const { stdout } = await host.laptop.run("status", "box");
    expect(stdout.toString()).toMatch(new RegExp(`running\\n  ${commandID} `));
    for (const pid of pids) process.kill(pid, "SIGKILL");
  }, 60_000);
});
