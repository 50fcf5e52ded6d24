// The rows of the original's defects where the kernel holds commands: what their text does not say is refused all the same, and
// what is answered holds as long as it says.
import { access, mkdir, mkdtemp, readdir, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { newID } from "../../protocol/ids.js";
import type { Ask } from "../../protocol/permission.js";
import type { Approval } from "../../protocol/workspace.js";
import { hasProgram } from "../fixtures/programs.js";
import { type Refused, runToEnd, secretFile } from "../fixtures/run-to-end.js";
import { describe } from "../fixtures/with-compiler.js";
import { type Workbench, workbench } from "../fixtures/workbench.js";

/** A path that no look at the text finds. */
const unseen = (path: string) => `"$(echo ${Buffer.from(path).toString("base64")} | base64 -d)"`;
/** A text that is read by another program: its paths are not looked for before it runs. */
const inDocument = (text: string) => `sh <<'END'\n${text}\nEND`;

describe.each(["landlock", "mount", "mount+landlock"])("at level %s", (level) => {
  let bench: Workbench;
  let folder: string;
  beforeAll(async () => {
    // not below /tmp, in whose place commands may see a directory of their own
    folder = await realpath(await mkdtemp(join(homedir(), ".ocrs-asks-")));
    bench = await workbench({ args: ["--level", level], installRoot: join(folder, "root") });
  });
  afterAll(async () => {
    await bench?.stub.stop();
    await rm(folder, { recursive: true, force: true });
  });

  /** Answers whatever is asked in this workspace until the command has ended. */
  async function answering<T>(
    workspaceID: string,
    reply: string,
    running: Promise<T>,
  ): Promise<{ asked: Ask[]; ended: T }> {
    const asked = new Map<string, Ask>();
    let isOver = false;
    const ended = running.finally(() => {
      isOver = true;
    });
    while (!isOver) {
      for (const ask of await bench.asks(workspaceID)) {
        asked.set(ask.id, ask);
        await bench.reply(ask.id, reply);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return { asked: [...asked.values()], ended: await ended };
  }

  const run = (workspaceID: string, command: string, more: object = {}) =>
    runToEnd(bench, workspaceID, { command, onAsk: "stream", ...more });

  it("what is asked before it runs is told in the answer, what is asked while it runs waits, and goes on with the answer", async () => {
    const workspace = await bench.workspace();
    const secret = await secretFile(bench, "streamed");
    const refused = await run(workspace.id, `cat ${secret}`);
    expect(refused.code).toBe("permission_required");
    await bench.reply(refused.details?.permissionID ?? "", "reject");
    const { asked, ended } = await answering(workspace.id, "once", run(workspace.id, `cat ${unseen(secret)}`));
    expect(asked.map(({ path }) => path)).toEqual([secret]);
    expect(ended).toMatchObject({ exit: 0, output: "PRIVATE\n" });
    const nobody = await answering(workspace.id, "once", run(workspace.id, `cat ${unseen(secret)}`, { onAsk: "fail" }));
    expect(nobody).toMatchObject({ asked: [], ended: { exit: 1, output: "" } });
  });

  it("a private file is not read by a path that the text does not show (row 18)", async () => {
    const workspace = await bench.workspace();
    const secret = await secretFile(bench, "private");
    for (const path of [secret, `../${secret.slice(bench.stub.home.length + 1)}`]) {
      const { asked, ended } = await answering(workspace.id, "reject", run(workspace.id, `cat ${unseen(path)}`));
      expect(ended).toMatchObject({ exit: 1, enforcement: { level } });
      expect(ended.output).not.toContain("PRIVATE");
      expect(asked.map((ask) => ask.path)).toEqual([secret]);
    }
    // The control: nothing but the level is in its way.
    const { details } = await run(workspace.id, `cat ${unseen(secret)}`, { unconfined: true });
    await bench.reply(details?.permissionID ?? "", "once");
    const control = await run(workspace.id, `cat ${unseen(secret)}`, {
      unconfined: true,
      permissionID: details?.permissionID,
    });
    expect(control).toMatchObject({ output: "PRIVATE\n", enforcement: { level: "off" } });
  });

  it("nothing is written beside the root by a path that the text does not show (row 18)", async () => {
    const workspace = await bench.workspace();
    for (const write of ["echo x >", "mkdir", "ln -s /etc"]) {
      const { ended } = await answering(workspace.id, "reject", run(workspace.id, `${write} ${unseen("../x")}`));
      expect(ended.exit).not.toBe(0);
    }
    await expect(access(join(workspace.directory, "../x"))).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("a command reaches neither the token nor the state, and so approves nothing (row 20)", async () => {
    const workspace = await bench.workspace();
    const { installRoot } = bench.stub;
    const key = join(installRoot, "state/approvers/0123456789abcdef.pub");
    for (const command of [
      `cat ${unseen(join(installRoot, "run/stub.token"))}`,
      `ls ${unseen(join(installRoot, "state"))}`,
      `echo x > ${unseen(key)}`,
      `cat /proc/${bench.stub.pid}/environ`,
    ]) {
      const { asked, ended } = await answering(workspace.id, "once", run(workspace.id, command));
      expect(ended.exit, command).not.toBe(0);
      expect(ended.output).toBe("");
      // Nobody is even asked.
      expect(asked).toEqual([]);
    }
    await expect(access(key)).rejects.toMatchObject({ code: "ENOENT" });
    // By the text it is no different: whoever says yes to all says yes to nothing here.
    const named = await answering(workspace.id, "once", run(workspace.id, `cat ${installRoot}/run/stub.token`));
    expect(named.ended).toMatchObject({ exit: 1, output: "" });
    expect(await readFile(join(installRoot, "run/stub.token"), "utf8")).not.toBe("");
  });

  it("once is for one command and its descendants, for all that its text names (row 28)", async () => {
    const workspace = await bench.workspace();
    const [one, two] = [await secretFile(bench, "one"), await secretFile(bench, "two")];
    const out = await bench.outside("out");
    const command = `(cat ${one}; sh -c 'cat ${two}') > ${out}/copy`;
    const { permissionID } = (await run(workspace.id, command)).details ?? {};
    await bench.reply(permissionID ?? "", "once");
    expect(await run(workspace.id, command, { permissionID })).toMatchObject({ exit: 0, errors: "" });
    expect(await readFile(join(out, "copy"), "utf8")).toBe("PRIVATE\nPRIVATE\n");
    expect(await run(workspace.id, command, { permissionID })).toMatchObject({ code: "permission_required" });
    const after = await answering(workspace.id, "reject", run(workspace.id, `cat ${unseen(one)}`));
    expect(after.ended.output).toBe("");
  });

  it("a new file directly in the home, where only the file can be approved, is made by the command that was allowed to", async () => {
    const workspace = await bench.workspace();
    const made = join(bench.stub.home, "made-in-the-home");
    const command = `echo new > ${made}`;
    const { permissionID } = (await run(workspace.id, command)).details ?? {};
    await bench.reply(permissionID ?? "", "once");
    expect(await run(workspace.id, command, { permissionID })).toMatchObject({ exit: 0, errors: "" });
    expect(await readFile(made, "utf8")).toBe("new\n");
    const other = await answering(workspace.id, "reject", run(workspace.id, `echo x > ${unseen(`${made}-too`)}`));
    expect(other.ended.exit).not.toBe(0);
    await expect(readFile(`${made}-too`)).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("read never grants write", async () => {
    const workspace = await bench.workspace();
    const secret = await secretFile(bench, "kept");
    const { permissionID } = (await run(workspace.id, `cat ${secret}`)).details ?? {};
    await bench.reply(permissionID ?? "", "always");
    expect(await run(workspace.id, `cat ${secret}`)).toMatchObject({ output: "PRIVATE\n" });
    const { ended } = await answering(workspace.id, "reject", run(workspace.id, `echo x > ${unseen(secret)}`));
    expect(ended.exit).not.toBe(0);
    expect(await readFile(secret, "utf8")).toBe("PRIVATE\n");
  });

  it("what is taken back holds for the next command and the next file operation, whatever was built for the ones before", async () => {
    const workspace = await bench.workspace();
    const secret = await secretFile(bench, "revoked");
    const { permissionID } = (await run(workspace.id, `cat ${secret}`)).details ?? {};
    await bench.reply(permissionID ?? "", "always");
    const read = `cat ${unseen(secret)}`;
    for (let round = 0; round < 3; round++)
      expect(await run(workspace.id, read)).toMatchObject({ output: "PRIVATE\n" });
    const list = `/experimental/workspace/${workspace.id}/approval`;
    const approval = (await bench.send<Approval[]>(list)).body.find(({ path }) => path === dirname(secret));
    await bench.send(`${list}/${approval?.id}`, { method: "DELETE", approver: bench.approver });
    const { asked, ended } = await answering(workspace.id, "reject", run(workspace.id, read));
    expect(ended.output).toBe("");
    expect(asked.map(({ path }) => path)).toEqual([secret]);
    const file = await bench.send<Refused>(`/file/content?path=${secret}&onAsk=fail`, { workspace: workspace.id });
    expect(file.body.code).toBe("permission_required");
  });

  it("what could not be given while it ran is asked for when it has failed, and once is good for the same command again", async () => {
    const workspace = await bench.workspace();
    const outside = await bench.outside("made");
    const sessionID = newID("ses");
    const command = inDocument(`mkdir ${outside}/new && echo made`);
    const failed = await run(workspace.id, command, { sessionID });
    expect(failed.exit).not.toBe(0);
    expect(failed).toMatchObject({ blocked: [{ path: join(outside, "new"), access: "write", operation: "mkdir" }] });
    const ask = (more: object = {}) =>
      bench.send<Refused>(`/command/${failed.commandID}/blocked`, { body: { onAsk: "fail", ...more } });
    const { details } = (await ask()).body;
    expect(details).toMatchObject({ path: outside, access: "write", paths: [{ kind: "directory" }] });
    await bench.reply(details.permissionID, "once");
    expect((await ask({ permissionID: details.permissionID })).body).toMatchObject({ paths: [{ path: outside }] });
    // Another command, or another session, does not get it.
    expect((await run(workspace.id, `${command}\n`, { sessionID })).exit).not.toBe(0);
    expect((await run(workspace.id, command)).exit).not.toBe(0);
    expect(await run(workspace.id, command, { sessionID })).toMatchObject({ exit: 0, output: "made\n" });
    await mkdir(join(outside, "more"));
    expect(await readdir(outside)).toEqual(["more", "new"]);
    expect((await run(workspace.id, command, { sessionID })).exit).not.toBe(0);
  });

  it("what was rejected after a run is not asked for after the next one of that session, but in another, and before a run", async () => {
    const workspace = await bench.workspace();
    const outside = await bench.outside("rejected");
    const attempt = async (sessionID: string, command: string) => {
      const { commandID } = await run(workspace.id, inDocument(command), { sessionID });
      return (await bench.send<Refused>(`/command/${commandID}/blocked`, { body: { onAsk: "fail" } })).body;
    };
    const sessionID = newID("ses");
    const { details } = await attempt(sessionID, `mkdir ${outside}/new`);
    await bench.reply(details.permissionID, "reject");
    for (const again of [`mkdir ${outside}/new`, `mkdir ${outside}/other`]) {
      expect(await attempt(sessionID, again)).toMatchObject({
        code: "permission_rejected",
        details: { path: outside },
      });
    }
    expect(await bench.asks(workspace.id)).toEqual([]);
    expect((await attempt(newID("ses"), `mkdir ${outside}/new`)).code).toBe("permission_required");
    const named = await run(workspace.id, `mkdir ${outside}/new`, { sessionID });
    expect(named.code).toBe("permission_required");
  });

  it("a failure names what was not shown where commands have a view, and a success names nothing", async () => {
    const workspace = await bench.workspace();
    const secret = await secretFile(bench, "hidden");
    await writeFile(join(workspace.directory, "here"), "");
    const look = (test: string) => inDocument(`test ${test} ${secret} -a -e ${workspace.directory}/here`);
    const hasView = level !== "landlock";
    expect(await run(workspace.id, look("-e"))).toMatchObject(hasView ? { exit: 1, hidden: [secret] } : { exit: 0 });
    const other = await run(workspace.id, look("! -e"));
    expect(other).toMatchObject({ exit: hasView ? 0 : 1 });
    expect(other.hidden).toBeUndefined();
  });

  it.skipIf(!hasProgram("python3"))(
    "python's multiprocessing needs an approval where shared memory is everybody's, and nothing where a command has its own (needs python3)",
    async () => {
      const workspace = await bench.workspace();
      const command = `python3 -c "import multiprocessing as m; print(m.Pool(2).map(abs, [-1, -2]))"`;
      const { asked, ended } = await answering(workspace.id, "always", run(workspace.id, command));
      expect(asked.map(({ patterns }) => patterns)).toEqual(level === "landlock" ? [["/dev/shm/*"]] : []);
      // a rule set is not widened while it holds: the next run has it
      expect(ended.exit).toBe(level === "landlock" ? 1 : 0);
      const { asked: more, ended: next } = await answering(workspace.id, "reject", run(workspace.id, command));
      expect([more, next.exit, next.output]).toEqual([[], 0, "[1, 2]\n"]);
    },
  );

  it("a file in /tmp is a command's own where it has a view, and nobody is asked about that", async () => {
    const workspace = await bench.workspace();
    const name = `/tmp/ocrs-${newID("cmd")}`;
    const write = await run(workspace.id, `echo mine > ${name} && cat ${name}`);
    if (level === "landlock") expect(write).toMatchObject({ code: "permission_required", details: { path: "/tmp" } });
    else expect(write).toMatchObject({ exit: 0, output: "mine\n" });
    await expect(access(name)).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("a file of the host's /tmp is asked about each time, also where something was shown in its place before", async () => {
    const workspace = await bench.workspace();
    const directory = await realpath(await mkdtemp(join(tmpdir(), "ocrs-asked-")));
    onTestFinished(() => rm(directory, { recursive: true }));
    const file = join(directory, "secret");
    await writeFile(file, "PRIVATE\n");
    for (let round = 0; round < 2; round++) {
      const { permissionID } = (await run(workspace.id, `cat ${file}`)).details ?? {};
      await bench.reply(permissionID ?? "", "once");
      expect(await run(workspace.id, `cat ${file}`, { permissionID })).toMatchObject({ exit: 0, output: "PRIVATE\n" });
    }
    const unsaid = await answering(workspace.id, "once", run(workspace.id, `cat ${unseen(file)}`));
    expect(unsaid).toMatchObject({ asked: [{ path: file }], ended: { exit: 0, output: "PRIVATE\n" } });
    const rejected = await answering(workspace.id, "reject", run(workspace.id, `cat ${unseen(file)}`));
    expect(rejected).toMatchObject({ asked: [{ path: file }], ended: { exit: 1 } });
    expect((await run(workspace.id, `touch ${directory}/new`)).details?.path).toBe(directory);
  });

  it("a failed sudo is explained by its name, a sudo that is only said is not", async () => {
    const workspace = await bench.workspace();
    expect(await run(workspace.id, "sudo -n true; false")).toMatchObject({ exit: 1, setuid: ["sudo"] });
    expect((await run(workspace.id, "echo sudo; false")).setuid).toBeUndefined();
  });
});
