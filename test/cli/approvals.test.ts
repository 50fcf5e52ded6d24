// What a person sees of approvals: questions of `exec` with several paths, `--unconfined`, `approvals`, `audit`.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { LoggedLine } from "../../protocol/audit.js";
import { CliHost, canRunCli, cliReason } from "./fixtures/cli-host.js";

describe.skipIf(!canRunCli)(`approvals and audit (${cliReason})`, () => {
  let host: CliHost;
  let project: string;
  let outside: string;

  beforeAll(async () => {
    host = await CliHost.start();
    project = await host.project();
    outside = join(host.sshd.home, "outside");
    await mkdir(outside);
    await writeFile(join(outside, "secret"), "PRIVATE\n");
  }, 120_000);
  afterAll(async () => {
    await host?.stop();
  }, 30_000);

  const run = async (...words: string[]) => {
    const { status, stdout, stderr } = await host.laptop.run(...words);
    return { status, stdout: stdout.toString(), stderr };
  };
  const exec = (...words: string[]) => run("exec", "box", "--cwd", project, ...words);

  it("a command that names a path outside is not run where nobody can be asked, and runs with --yes", async () => {
    const command = `cat ${outside}/secret > copy`;
    const refused = await exec("--", command);
    expect(refused).toMatchObject({
      status: 255,
      stderr: expect.stringMatching(/^error permission_required: .*outside/),
    });
    expect(await exec("--yes", "--", command)).toMatchObject({ status: 0, stderr: "" });
    expect(await readFile(join(project, "copy"), "utf8")).toBe("PRIVATE\n");
  }, 60_000);

  it("an unconfined run is asked for in any case, and says what it is", async () => {
    const refused = await exec("--unconfined", "--", "id -u");
    expect(refused).toMatchObject({
      status: 255,
      stderr: expect.stringContaining("run it unconfined is not approved"),
    });
    expect(refused.stderr).not.toContain("--cwd");
    const { stdout, status } = await exec("--unconfined", "--yes", "--json", "--", "id -u");
    expect(status).toBe(0);
    const end = JSON.parse(stdout.trim().split("\n").at(-1) ?? "");
    expect(end.enforcement).toMatchObject({ level: "off", reason: "unconfined, approved once" });
  }, 60_000);

  it("approvals lists what stands, and --revoke takes one back", async () => {
    const listed = await run("approvals", "box");
    expect(listed.stdout).toMatch(new RegExp(`per_\\w+ +write +${project} +the workspace's directory`));
    const all = JSON.parse((await run("approvals", "box", "--json")).stdout);
    const root = all.find(({ path }: { path: string }) => path === project);
    expect(root).toMatchObject({ access: "write", source: "root", workspaceID: expect.stringMatching(/^wrk_/) });
    const revoked = await run("approvals", "box", "--revoke", root.id);
    expect(revoked).toMatchObject({ status: 0, stdout: expect.stringContaining(`revoked write of ${project}`) });
    expect(await exec("--", "pwd")).toMatchObject({
      status: 255,
      stderr: expect.stringContaining("permission_required"),
    });
    expect(await run("approvals", "box", "--revoke", root.id)).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/^error permission_unknown: .*\nhint: opencode-remote-ssh approvals box/),
    });
  }, 60_000);

  it("audit tells who ran, asked and answered what, in words and as JSON, from a time on", async () => {
    const { stdout } = await run("audit", "box", "--json", "--since", "1h");
    const lines: LoggedLine[] = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    const asks = lines.filter(({ event, path }) => event === "ask" && path?.startsWith(outside));
    expect(asks.length).toBeGreaterThan(0);
    expect(lines).toEqual(
      expect.arrayContaining([
        expect.objectContaining({
          event: "reply",
          decision: "once",
          approver: expect.stringMatching(/^[0-9a-f]{16}$/),
        }),
        expect.objectContaining({ event: "command", decision: "unconfined", command: "id -u" }),
        expect.objectContaining({ event: "exit", exit: 0 }),
        expect.objectContaining({ event: "approval", decision: "revoked", path: project }),
      ]),
    );
    expect((await run("audit", "box")).stdout).toMatch(/command +unconfined +[0-9a-f]{16} +cmd_\w+ +id -u/);
    expect(await run("audit", "box", "--since", "2999-01-01")).toMatchObject({ status: 0, stdout: "" });
    expect(await run("audit", "box", "--since", "soon")).toMatchObject({ status: 2 });
  }, 60_000);
});
