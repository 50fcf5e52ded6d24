// A command that runs and wants what was not approved, through the whole stub: it waits, the ask is listed with the real path, and the
// answer lets it go on, or not.
import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, readFile, realpath, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { CommandRecord } from "../../protocol/command.js";
import { newID } from "../../protocol/ids.js";
import type { Ask } from "../../protocol/permission.js";
import type { Approval, Workspace } from "../../protocol/workspace.js";
import { onPath } from "../fixtures/helper-binary.js";
import { describe } from "../fixtures/with-compiler.js";
import { eventually, type Workbench, workbench } from "../fixtures/workbench.js";

const sessionID = "ses_liveasks";
const hasTools = (await onPath("git")) && (await onPath("gcc")) && (await onPath("npm"));

/** Runs commands in workspaces of one stub. */
class Bench {
  readonly inner: Workbench;

  constructor(inner: Workbench) {
    this.inner = inner;
  }

  /** Hidden from who reads the command's text: what is found there is asked for before the run. */
  async start(workspaceID: string, text: string, more: object = {}): Promise<string> {
    const command = `echo ${Buffer.from(text).toString("base64")} | base64 -d | sh`;
    const commandID = newID("cmd");
    const body = { commandID, sessionID: `${sessionID}${workspaceID.slice(4)}`, workspaceID, command, ...more };
    const { status, body: answer } = await this.inner.send("/command", { body });
    if (status !== 200) throw new Error(JSON.stringify(answer));
    return commandID;
  }

  async end(commandID: string): Promise<CommandRecord & { stdout: string; stderr: string }> {
    const record = await eventually(async () => {
      const { body } = await this.inner.send<CommandRecord>(`/command/${commandID}`);
      return ["queued", "running"].includes(body.state) ? undefined : body;
    });
    const text = async (stream: string) =>
      (await this.inner.stub.fetch(`/command/${commandID}/output?stream=${stream}`)).text();
    return { ...record, stdout: await text("stdout"), stderr: await text("stderr") };
  }

  async run(workspaceID: string, command: string, more: object = {}) {
    return this.end(await this.start(workspaceID, command, more));
  }

  /** Resolves when so many are pending. */
  pending(workspaceID: string, count = 1): Promise<[Ask, ...Ask[]]> {
    return eventually(async () => {
      const asks = await this.inner.asks(workspaceID);
      return asks.length === count ? (asks as [Ask, ...Ask[]]) : undefined;
    });
  }
}

describe.each(["landlock", "mount+landlock", "mount"])("at level %s", (level) => {
  let bench: Bench;
  let workspace: Workspace & { directory: string };
  let outside: string;
  /** At `mount` alone nothing would keep a command from writing to what it was given to read, so that is what is asked. */
  const access = level === "mount" ? "write" : "read";
  const operation = level === "mount" ? "read" : "open";
  beforeAll(async () => {
    bench = new Bench(await workbench({ args: ["--level", level] }));
  });
  afterAll(() => bench.inner.stub.stop());

  /** A workspace, and a directory beside it with two files. */
  async function place(): Promise<void> {
    workspace = await bench.inner.workspace();
    outside = await bench.inner.outside("other");
    await writeFile(join(outside, "secret"), "secret\n");
    await writeFile(join(outside, "second"), "second\n");
    await symlink(join(outside, "secret"), join(workspace.directory, "link"));
  }

  it("a blocked open waits with its real path in the list; once lets it go on, for this command alone (row 18)", async () => {
    await place();
    const commandID = await bench.start(workspace.id, `cat link; cat ${outside}/second`);
    const [ask] = await bench.pending(workspace.id);
    expect(ask).toMatchObject({
      path: join(outside, "secret"),
      access,
      permission: "external_directory",
      patterns: [`${outside}/*`],
      reason: "cat wants to read it",
      workspaceID: workspace.id,
    });
    expect((await bench.inner.reply(ask.id, "once")).status).toBe(200);
    expect(await bench.end(commandID)).toMatchObject({ exit: 0, stdout: "secret\nsecond\n", stderr: "" });
    expect((await bench.inner.reply(ask.id, "once")).status).toBe(409);
    const again = await bench.start(workspace.id, "cat link");
    const [second] = await bench.pending(workspace.id);
    expect(second.id).not.toBe(ask.id);
    await bench.inner.reply(second.id, "reject");
    const end = await bench.end(again);
    expect(end).toMatchObject({ exit: 1, stdout: "" });
    expect(end.stderr).toMatch(/Permission denied/);
    expect(end.blocked).toContainEqual({ path: join(outside, "secret"), access, operation });
  });

  it("always approves the directory for the commands to come", async () => {
    await place();
    const commandID = await bench.start(workspace.id, "cat link");
    const [ask] = await bench.pending(workspace.id);
    expect((await bench.inner.reply(ask.id, "always")).status).toBe(200);
    expect(await bench.end(commandID)).toMatchObject({ exit: 0, stdout: "secret\n" });
    expect(await bench.run(workspace.id, `cat ${outside}/second`)).toMatchObject({ exit: 0, stdout: "second\n" });
    const { body } = await bench.inner.send<Approval[]>(`/experimental/workspace/${workspace.id}/approval`, {
      approver: bench.inner.approver,
    });
    expect(body).toContainEqual(expect.objectContaining({ path: outside, access, source: "reply" }));
    if (access === "write") return;
    // read never grants write
    const writing = await bench.start(workspace.id, `echo x >> ${outside}/second`);
    const [write] = await bench.pending(workspace.id);
    expect(write.access).toBe("write");
    await bench.inner.reply(write.id, "reject");
    expect((await bench.end(writing)).exit).not.toBe(0);
  });

  it("of the home itself a file is given for once, and nothing for always", async () => {
    await place();
    const { home } = bench.inner.stub;
    await writeFile(join(home, ".tokens"), "token\n");
    await writeFile(join(home, ".others"), "others\n");
    const commandID = await bench.start(workspace.id, "cat ~/.tokens; cat ~/.others");
    const [ask] = await bench.pending(workspace.id);
    expect(ask).toMatchObject({ path: join(home, ".tokens"), patterns: [join(home, ".tokens")] });
    await bench.inner.reply(ask.id, "once");
    const [other] = await bench.pending(workspace.id);
    expect(other.path).toBe(join(home, ".others"));
    await bench.inner.reply(other.id, "reject");
    expect(await bench.end(commandID)).toMatchObject({ exit: 1, stdout: "token\n" });
  });

  it("a new file outside is made as the command would have made it", async () => {
    await place();
    const commandID = await bench.start(workspace.id, `umask 027; echo new > ${outside}/new`);
    const [ask] = await bench.pending(workspace.id);
    expect(ask).toMatchObject({ path: join(outside, "new"), access: "write" });
    await bench.inner.reply(ask.id, "once");
    expect(await bench.end(commandID)).toMatchObject({ exit: 0 });
    expect(await readFile(join(outside, "new"), "utf8")).toBe("new\n");
    const made = await stat(join(outside, "new"));
    expect(made.mode & 0o7777).toBe(0o640);
    expect(made.uid).toBe(process.getuid?.());
  });

  it("forty commands at once that want different directories are forty asks; the same file is one (rows 28, 30)", async () => {
    await place();
    const commands: string[] = [];
    for (let i = 0; i < 40; i++) {
      await mkdir(join(outside, `d${i}`));
      await writeFile(join(outside, `d${i}/f`), `${i}\n`);
    }
    for (let i = 0; i < 40; i++) commands.push(await bench.start(workspace.id, `cat ${outside}/d${i}/f`));
    const asks = await bench.pending(workspace.id, 40);
    expect(new Set(asks.map(({ id }) => id)).size).toBe(40);
    await Promise.all(asks.map(({ id }) => bench.inner.reply(id, "once")));
    for (const [index, id] of commands.entries()) expect((await bench.end(id)).stdout).toBe(`${index}\n`);

    const same = [await bench.start(workspace.id, "cat link"), await bench.start(workspace.id, "cat link")];
    const [ask] = await bench.pending(workspace.id);
    await pause(200);
    expect(await bench.inner.asks(workspace.id)).toHaveLength(1);
    await bench.inner.reply(ask.id, "once");
    for (const id of same) expect((await bench.end(id)).stdout).toBe("secret\n");
  });

  it("with onAsk fail nobody is asked, and the record says what was blocked", async () => {
    await place();
    const end = await bench.run(workspace.id, "cat link", { onAsk: "fail" });
    expect(end).toMatchObject({ exit: 1, stdout: "" });
    expect(end.blocked).toContainEqual({ path: join(outside, "secret"), access, operation });
    expect(await bench.inner.asks(workspace.id)).toEqual([]);
  });

  it("the ask ends with its command, and with its workspace", async () => {
    await place();
    const commandID = await bench.start(workspace.id, "cat link");
    const [ask] = await bench.pending(workspace.id);
    await bench.inner.send(`/command/${commandID}/cancel`, { method: "POST" });
    await eventually(async () => ((await bench.inner.asks(workspace.id)).length === 0 ? true : undefined));
    expect((await bench.inner.reply(ask.id, "once")).status).toBe(409);
    const second = await bench.start(workspace.id, "cat link");
    await bench.pending(workspace.id);
    const socket = join(bench.inner.stub.installRoot, "state/commands", `${second}.asks`);
    expect((await stat(socket)).mode & 0o077).toBe(0);
    await bench.inner.send(`/experimental/workspace/${workspace.id}`, {
      method: "DELETE",
      approver: bench.inner.approver,
    });
    expect(await bench.inner.asks(workspace.id)).toEqual([]);
    await expect(stat(socket)).rejects.toThrow(/ENOENT/);
  });

  it("what belongs to the stub itself is never asked about", async () => {
    await place();
    const token = join(bench.inner.stub.installRoot, "run/stub.token");
    const end = await bench.run(workspace.id, `cat ${token}`);
    expect(end).toMatchObject({ stdout: "" });
    expect(end.exit).not.toBe(0);
    expect(await bench.inner.asks(workspace.id)).toEqual([]);
  });

  it.skipIf(!hasTools)("git, gcc and npm together ask for ~/.npmrc at most", { timeout: 120_000 }, async () => {
    await place();
    await writeFile(join(bench.inner.stub.home, ".npmrc"), "fund=false\n");
    execFileSync("git", ["init", "-q", workspace.directory]);
    await writeFile(
      join(workspace.directory, "a.c"),
      '#include <stdio.h>\nint main(void) { return puts("hello") < 0; }\n',
    );
    const commandID = await bench.start(
      workspace.id,
      "git add a.c && git -c user.name=a -c user.email=b commit -qm c && gcc -o a a.c && ./a && npm config get fund",
    );
    const seen: Ask[] = [];
    const answered = new Set<string>();
    await eventually(async () => {
      for (const ask of await bench.inner.asks(workspace.id)) {
        if (answered.has(ask.id)) continue;
        answered.add(ask.id);
        seen.push(ask);
        await bench.inner.reply(ask.id, "once");
      }
      const { body } = await bench.inner.send<CommandRecord>(`/command/${commandID}`);
      return body.state === "running" ? undefined : true;
    });
    const end = await bench.end(commandID);
    expect(end).toMatchObject({ exit: 0 });
    expect(end.stdout).toMatch(/hello/);
    expect(seen.map(({ path }) => path).filter((path) => !path.endsWith(".npmrc"))).toEqual([]);
    expect(seen.length).toBeLessThanOrEqual(1);
  });
});

describe("an ask that nobody is there to answer", () => {
  it("is refused after the time for that, and the command goes on without", async () => {
    await using inner = await workbench({ args: ["--level", "landlock", "--ask-timeout", "1"] });
    const bench = new Bench(inner);
    const workspace = await inner.workspace();
    const outside = await inner.outside("other");
    await writeFile(join(outside, "f"), "outside\n");
    const commandID = await bench.start(workspace.id, `cat ${outside}/f`);
    await bench.pending(workspace.id);
    await inner.stub.disconnect();
    const record = join(inner.stub.installRoot, "state/commands", `${commandID}.run`);
    await eventually(async () => ((await readFile(record, "utf8")).includes('"blocked"') ? true : undefined));
    expect(await bench.end(commandID)).toMatchObject({ exit: 1, stdout: "" });
    expect(await inner.asks(workspace.id)).toEqual([]);
  });
});

describe.each(["landlock", "mount+landlock"])("a stub that is killed while a command waits at %s (row 37)", (level) => {
  it("is followed by one that asks the same with the same id; the answer lets the command go on", async () => {
    const folder = await realpath(await mkdtemp(join(tmpdir(), "ocrs-live-")));
    const start = async () =>
      new Bench(await workbench({ installRoot: join(folder, "root"), version: "0.1.0", args: ["--level", level] }));
    let bench = await start();
    try {
      const outside = join(folder, "outside");
      await mkdir(outside);
      await writeFile(join(outside, "f"), "outside\n");
      // one without a directory: any approver may answer
      const { body } = await bench.inner.send<{ id: string }>("/experimental/workspace", { body: { type: "test" } });
      const commandID = await bench.start(body.id, `cat ${outside}/f`);
      const before = await bench.pending(body.id);
      await bench.inner.stub.stop("SIGKILL");
      bench = await start();
      const same = [expect.objectContaining({ id: before[0].id, path: join(outside, "f") })];
      expect(await bench.pending(body.id)).toEqual(same);
      await pause(500); // the helper has told it again
      expect(await bench.inner.asks(body.id)).toEqual(same);
      expect((await bench.inner.reply(before[0].id, "once")).status).toBe(200);
      expect(await bench.end(commandID)).toMatchObject({ exit: 0, stdout: "outside\n" });
      expect((await bench.inner.reply(before[0].id, "once")).status).not.toBe(200);
    } finally {
      await bench.inner.stub.stop("SIGKILL");
      await rm(folder, { recursive: true, force: true });
    }
  });
});
