// `exec` as a person uses it: the CLI as a process, a real sshd, the real stub file.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Mark } from "../fixtures/marked-processes.js";
import { CliHost, canRunCli, cliReason } from "./fixtures/cli-host.js";

describe.skipIf(!canRunCli)(`exec (${cliReason})`, () => {
  let host: CliHost;
  let project: string;

  beforeAll(async () => {
    host = await CliHost.start();
    project = await host.project();
  }, 120_000);
  afterAll(async () => {
    await host?.stop();
  }, 30_000);

  const exec = (...words: string[]) => host.laptop.run("exec", "box", "--cwd", project, ...words);

  it("gives output, errors and the exit status as they are, and the host's audit log knows", async () => {
    const result = await exec("--", "echo out; echo err >&2; exit 3");
    expect(result).toMatchObject({ status: 3, stderr: "err\n" });
    expect(result.stdout.toString()).toBe("out\n");
    const lines = (await host.audit()).filter(({ command }) => command === "echo out; echo err >&2; exit 3");
    expect(lines).toMatchObject([{ event: "command", cwd: project }]);
  });

  it("keeps bytes that are no text", async () => {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, index) => index));
    await writeFile(join(project, "bytes"), bytes);
    const { stdout } = await exec("--", "cat", "bytes");
    expect(stdout.equals(bytes)).toBe(true);
  });

  it("runs several words as a program, without a shell, and one with spaces as text for the shell", async () => {
    expect((await exec("--", "echo", "$HOME", "a  b")).stdout.toString()).toBe("$HOME a  b\n");
    expect((await exec("--", 'echo "$((1 + 1))"')).stdout.toString()).toBe("2\n");
  });

  it("leaves a remote 1, 2 and 255 what they are, and gives 128+n for signal n", async () => {
    for (const status of [1, 2, 255]) expect(await exec("--", `exit ${status}`)).toMatchObject({ status, stderr: "" });
    expect(await exec("--", "kill -KILL $$")).toMatchObject({ status: 137, stderr: "" });
  });

  it("passes variables on, three of three", async () => {
    const { stdout } = await exec("--env", "A=1", "--env", "B=two words", "--env", "C=x=y", "--", 'echo "$A|$B|$C"');
    expect(stdout.toString()).toBe("1|two words|x=y\n");
  });

  it("ends a command that takes longer than --timeout, and says so", async () => {
    const mark = new Mark();
    const result = await exec("--timeout", "0.5", ...marked(mark), "--", "exec sleep 300");
    expect(result.status).toBe(255);
    expect(result.stderr).toMatch(/^error timeout: .*--timeout.*\n$/);
    await mark.gone();
  });

  it("needs no directory: without one a command has a private temporary one, gone afterwards", async () => {
    const { stdout, status } = await host.laptop.run("exec", "box", "--", "pwd; ls -A | wc -l");
    expect(status).toBe(0);
    const [directory = "", count] = stdout.toString().trim().split("\n");
    expect(directory).toMatch(/^\//);
    expect(Number(count)).toBe(0);
    await expect(readFile(join(directory, "x"))).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("finds the same workspace again, run after run", async () => {
    const before = (await host.audit()).filter(({ event }) => event === "workspace").length;
    for (let index = 0; index < 3; index++) expect((await exec("--", "true")).status).toBe(0);
    expect((await host.audit()).filter(({ event }) => event === "workspace")).toHaveLength(before);
  });

  it("has an error and a hint for a directory that is not there, and runs nothing", async () => {
    const result = await host.laptop.run("exec", "box", "--cwd", "/no/such/place", "--", "true");
    expect(result.status).toBe(255);
    expect(result.stderr).toMatch(/^error cwd_missing: .*\nhint: .*\n$/);
  });

  it("takes the home where its level can hide what is in it, and the key is not to be seen there", async () => {
    await mkdir(join(host.sshd.home, ".ssh"), { recursive: true });
    for (const name of ["seen", ".ssh/id"]) await writeFile(join(host.sshd.home, name), `${name}\n`);
    const text = "cat seen; for f in .ssh/id .opencode-remote-ssh/run/stub.token; do cat $f || echo hidden; done";
    const seen = await host.laptop.run("exec", "box", "--cwd", "~", "--", text);
    expect(seen.stdout.toString()).toBe("seen\nhidden\nhidden\n");
  });

  it("asks nobody where there is no terminal: the home is refused with a hint, and allowed by --yes", async () => {
    await host.restartStub("--level", "landlock");
    // that it is lower than before is said once, by the first that runs something
    await host.laptop.run("exec", "box", "--cwd", project, "--", "true");
    const refused = await host.laptop.run("exec", "box", "--cwd", "~", "--", "pwd");
    expect(refused.status).toBe(255);
    expect(refused.stdout.length).toBe(0);
    expect(refused.stderr).toMatch(/^error permission_required: .*\nhint: .*--yes.*\n$/);
    // what was tried is not what is recommended
    expect(refused.stderr).toContain("cannot be approved as a whole");
    expect(refused.stderr).not.toContain("--cwd DIR approves");
    const allowed = await host.laptop.run("exec", "box", "--cwd", "~", "--yes", "--", "pwd");
    expect(allowed).toMatchObject({ status: 0, stderr: "" });
    expect(allowed.stdout.toString()).toBe(`${host.sshd.home}\n`);
    await host.restartStub();
  });

  it("asks on a terminal, and a rejection runs nothing", async () => {
    await host.restartStub("--level", "landlock");
    const marker = join(host.sshd.home, "ran");
    const rejected = host.laptop.startOnTerminal(["exec", "box", "--cwd", "~", "--", `touch ${marker}; echo ran`]);
    await rejected.says("[o]nce, [a]lways, [r]eject?");
    rejected.type("what?\n");
    rejected.type("r not today\n");
    const no = await rejected.ended;
    expect(no.status).toBe(255);
    expect(no.stdout.toString()).toContain("error permission_rejected: not today");
    await expect(readFile(marker)).rejects.toMatchObject({ code: "ENOENT" });

    const allowed = host.laptop.startOnTerminal(["exec", "box", "--cwd", "~", "--", `touch ${marker}; echo ran`]);
    await allowed.says("[o]nce, [a]lways, [r]eject?");
    allowed.type("once\n");
    const yes = await allowed.ended;
    expect(yes.status).toBe(0);
    expect(yes.stdout.toString()).toContain("ran\r\n");
    expect(await readFile(marker, "utf8")).toBe("");
    await host.restartStub();
  });

  it("ends the command on the host at Ctrl-C, waits for it, and exits 130", async () => {
    const mark = new Mark();
    const running = host.laptop.start([
      "exec",
      "box",
      "--cwd",
      project,
      ...marked(mark),
      "--",
      "trap 'echo cleaning; exit 0' TERM; echo ready; while :; do sleep 0.1; done",
    ]);
    await running.says("ready");
    running.child.kill("SIGINT");
    const result = await running.ended;
    expect(result.status).toBe(130);
    expect(result.stdout.toString()).toBe("ready\ncleaning\n");
    expect(await mark.pids()).toEqual([]);
  });

  it("leaves at once at the second Ctrl-C, and the host still ends the command", async () => {
    const mark = new Mark();
    const running = host.laptop.start([
      "exec",
      "box",
      "--cwd",
      project,
      "--verbose",
      ...marked(mark),
      "--",
      "trap '' TERM; echo ready; while :; do sleep 0.1; done",
    ]);
    await running.says("ready");
    running.child.kill("SIGINT");
    await running.says("Ctrl-C again leaves at once");
    // The cancel must have left; a reader of the host's own audit cannot tell, so give it the time of a round trip.
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(await mark.pids()).not.toEqual([]);
    running.child.kill("SIGINT");
    expect((await running.ended).status).toBe(130);
    await mark.gone();
  });

  it("ends the command when nobody reads its output any more", async () => {
    const mark = new Mark();
    const words = marked(mark).join(" ");
    const line = `cli exec box --cwd ${project} ${words} -- 'exec yes' | head -1; echo "\${PIPESTATUS[0]}"`;
    const result = await host.laptop.shell(line);
    expect(result.stdout.toString()).toBe("y\n141\n");
    await mark.gone();
  });

  it("says that its output cannot be written, ends the command then, and calls it nobody's defect", async () => {
    const mark = new Mark();
    const line = `cli exec box --cwd ${project} ${marked(mark).join(" ")} -- 'exec yes' >/dev/full`;
    const result = await host.laptop.shell(line);
    expect(result.status).toBe(255);
    expect(result.stderr).toMatch(/^error output_failed: stdout: ENOSPC.*\nhint: .*\n$/);
    await mark.gone();
  });

  it("tells everything as lines of JSON with --json, errors too", async () => {
    const result = await exec("--json", "--", "printf 'a\\377'; exit 4");
    const lines = result.stdout
      .toString()
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(result.status).toBe(4);
    expect(lines[0]).toEqual({ type: "output", stream: "stdout", offset: 0, base64: "Yf8=" });
    expect(lines.at(-1)).toMatchObject({ type: "end", state: "exited", exit: 4, stdoutBytes: 2 });
    const failed = await host.laptop.run("exec", "box", "--json", "--cwd", "/no/such/place", "--", "true");
    expect(failed).toMatchObject({ status: 255, stderr: "" });
    expect(JSON.parse(failed.stdout.toString())).toMatchObject({ code: "cwd_missing", hint: expect.any(String) });
  });

  it("applies what the plugin's configuration says of the host", async () => {
    const { sshd, laptop } = host;
    const ssh = { host: "127.0.0.1", port: sshd.port, user: sshd.user, identityFile: sshd.identityFile };
    await laptop.configure({
      providers: {
        default: {
          hosts: [
            {
              name: "configured",
              aliases: ["alias"],
              directory: project,
              env: { LICENSE: "27000@lic" },
              init: "LOADED=gcc",
              ssh,
            },
          ],
        },
      },
    });
    await writeFile(join(laptop.home, ".ssh/known_hosts"), await readFile(sshd.knownHostsFile));
    const { stdout, stderr, status } = await laptop.run("exec", "alias", "--", 'echo "$LICENSE $LOADED"; pwd');
    expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
    expect(stdout.toString()).toBe(`27000@lic gcc\n${project}\n`);
  });

  it("writes nothing on the laptop but its own state, and leaves no process on the host but the stub's", async () => {
    const files = await host.laptop.files();
    const own = files.filter((file) => !file.startsWith("state/opencode-remote-ssh/") && !file.startsWith(".ssh/"));
    expect(own).toEqual(["config/opencode/opencode.json"]);
    expect(files.filter((file) => file.startsWith("state/"))).toEqual([
      "state/opencode-remote-ssh/approver.key",
      "state/opencode-remote-ssh/hosts.json",
    ]);
    expect(host.sshd.connections()).toEqual([]);
  });

  it("never takes a part of the output for the whole: 255 where the host had to drop some of it", async () => {
    await host.restartStub("--log-cap", "65536");
    const all = await exec("--", "seq 1 2000000");
    expect(all.status).toBe(255);
    expect(all.stderr).toMatch(/^error output_dropped: \d+ bytes .*\nhint: .*\n$/);
    const failed = await exec("--", "seq 1 2000000; exit 3");
    expect(failed.status).toBe(3);
    expect(failed.stderr).toMatch(/^warning: \d+ bytes .*dropped.*\n$/);
    expect(await exec("--", "seq 1 1000")).toMatchObject({ status: 0, stderr: "" });
  });
});

/** Options of `exec` by which its processes are found on the host. */
function marked({ env }: Mark): string[] {
  return ["--env", `TEST_MARK=${env.TEST_MARK}`];
}
