// `exec --stdin` as a person uses it: in pipes, from files, at a terminal.
import { createHash, randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Mark } from "../fixtures/marked-processes.js";
import { eventually } from "../fixtures/processes.js";
import { CliHost, canRunCli, cliReason } from "./fixtures/cli-host.js";

const ROOT = join(import.meta.dirname, "../..");
const OPENCODE = join(ROOT, "node_modules/opencode-linux-x64/bin/opencode");
const MB = 1024 * 1024;

describe.skipIf(!canRunCli)(`exec --stdin (${cliReason})`, () => {
  let host: CliHost;
  let project: string;
  /** Of a command line up to the command. */
  let box: string;

  beforeAll(async () => {
    host = await CliHost.start();
    project = await host.project();
    box = `cli exec box --cwd ${project}`;
  }, 120_000);
  afterAll(async () => {
    await host?.stop();
  }, 30_000);

  it("passes 20 MB on byte for byte, from a file and through pipes, and ends where they end", async () => {
    const bytes = Buffer.concat([Buffer.from(Array.from({ length: 256 }, (_, index) => index)), randomBytes(20 * MB)]);
    const sum = createHash("sha256").update(bytes).digest("hex");
    await writeFile(join(host.laptop.home, "bytes"), bytes);
    const file = await host.laptop.shell(`${box} --stdin -- sha256sum < bytes`);
    expect([file.stdout.toString(), file.stderr, file.status]).toEqual([`${sum}  -\n`, "", 0]);
    const pipes = await host.laptop.shell(`cat bytes | ${box} --stdin -- cat | sha256sum`);
    expect([pipes.stdout.toString(), pipes.stderr, pipes.status]).toEqual([`${sum}  -\n`, "", 0]);
  }, 60_000);

  it("brings a tree over with tar", async () => {
    const line = `mkdir -p tree/sub && echo one > tree/sub/file && mkdir -p ${project}/there && tar c -C tree . | ${box} --stdin -- tar x -C there`;
    expect(await host.laptop.shell(line)).toMatchObject({ status: 0, stderr: "" });
    expect(await readFile(join(project, "there/sub/file"), "utf8")).toBe("one\n");
  });

  it("may be of nothing", async () => {
    for (const none of ["< /dev/null", "<&-"]) {
      const result = await host.laptop.shell(`${box} --stdin -- wc -c ${none}`);
      expect([result.stdout.toString(), result.stderr, result.status]).toEqual(["0\n", "", 0]);
    }
  });

  it("is asked for: without it a loop that reads lines keeps them, with it the first command takes them", async () => {
    const loop = (words: string) => `printf '1\\n2\\n3\\n' | while read line; do ${box} ${words}; done`;
    const without = await host.laptop.shell(loop("-- 'cat; echo '$line"));
    expect([without.stdout.toString(), without.stderr]).toEqual(["1\n2\n3\n", ""]);
    const control = await host.laptop.shell(loop("--stdin -- 'cat; echo '$line"));
    expect(control.stdout.toString()).toBe("2\n3\n1\n");
  }, 60_000);

  it("ends with a command that ends before its input does, whose status stays its own", async () => {
    const endless = await host.laptop.shell(`${box} --stdin -- 'head -c 3 | wc -c; exit 7' < /dev/zero`);
    expect([endless.stdout.toString(), endless.stderr, endless.status]).toEqual(["3\n", "", 7]);
    const silent = host.laptop.start(["exec", "box", "--cwd", project, "--stdin", "--", "exit 8"], { stdin: "pipe" });
    expect(await silent.ended).toMatchObject({ status: 8, stderr: "" });
    expect((await host.laptop.run("exec", "box", "--stdin", "--cwd", "/no/such/place", "--", "cat")).stderr).toMatch(
      /^error cwd_missing: /,
    );
  });

  it("is no whole input where Ctrl-C ended who wrote it: the command is ended, and told of no end", async () => {
    const mark = new Mark();
    const options = ["--cwd", project, "--verbose", "--stdin", "--env", `TEST_MARK=${mark.env.TEST_MARK}`];
    const command = "trap '' TERM; cat > copy && touch whole";
    const running = host.laptop.start(["exec", "box", ...options, "--", command], { stdin: "pipe" });
    running.child.stdin?.write("half");
    await eventually(
      "the half",
      async () => (await readFile(join(project, "copy"), "utf8").catch(() => "")) === "half",
    );
    running.child.kill("SIGINT");
    await running.says("Ctrl-C again leaves at once");
    running.child.stdin?.end();
    expect((await running.ended).status).toBe(130);
    await mark.gone();
    await expect(readFile(join(project, "whole"))).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("that cannot be read is an error, and ends the command, which must not take it for empty", async () => {
    const result = await host.laptop.shell(`${box} --stdin -- 'cat && touch taken' 0> write-only`);
    expect(result.status).toBe(255);
    expect(result.stderr).toMatch(/^error input_failed: stdin: EBADF.*\nhint: .*\n$/);
    await expect(readFile(join(project, "taken"))).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("is what is typed at a terminal, behind the answers to asks, until Ctrl-D", async () => {
    await mkdir(join(host.sshd.home, "beside"));
    await writeFile(join(host.sshd.home, "beside/note"), "noted\n");
    const text = 'cat ~/beside/note; while read line; do echo "got $line"; done; echo over';
    const words = ["exec", "box", "--cwd", project, "--stdin", "--", text];
    const running = host.laptop.startOnTerminal(words);
    await running.says("[o]nce, [a]lways, [r]eject?");
    running.type("once\n");
    running.type("one\n");
    await running.says("got one");
    running.type("two\n");
    await running.says("got two");
    running.type("\u0004");
    await running.says("over");
    expect((await running.ended).status).toBe(0);
  });

  it.skipIf(!existsSync(OPENCODE))("is the same under OpenCode's own runtime (needs opencode-linux-x64)", async () => {
    const program = `BUN_BE_BUN=1 ${OPENCODE} ${join(ROOT, "dist/cli.js")} exec box --cwd ${project} --stdin --`;
    const bytes = randomBytes(5 * MB);
    const sum = createHash("sha256").update(bytes).digest("hex");
    await writeFile(join(host.laptop.home, "bun"), bytes);
    for (const line of [`${program} sha256sum < bun`, `cat bun | ${program} sha256sum`]) {
      const result = await host.laptop.shell(line);
      expect([result.stdout.toString(), result.stderr, result.status]).toEqual([`${sum}  -\n`, "", 0]);
    }
    const early = await host.laptop.shell(`${program} 'head -c 3 | wc -c; exit 7' < /dev/zero`);
    expect([early.stdout.toString(), early.stderr, early.status]).toEqual(["3\n", "", 7]);
  });

  it("is told of in --help, and what its absence means", async () => {
    const { stdout } = await host.laptop.run("exec", "--help");
    expect(stdout.toString()).toMatch(/--stdin {2,}give the command/);
    expect(stdout.toString()).toContain("Without it nothing is read");
    expect(stdout.toString()).toContain("`while read`");
  });
});
