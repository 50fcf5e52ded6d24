// What is asked before a command runs: the paths that its text names outside of what was approved, all of them at once.
import { access, mkdir, readdir, readFile, symlink } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import type { CommandRecord } from "../../protocol/command.js";
import { newID } from "../../protocol/ids.js";
import type { Approval } from "../../protocol/workspace.js";
import { runToEnd, secretFile as secretFileOf } from "../fixtures/run-to-end.js";
import { describe } from "../fixtures/with-compiler.js";
import { type Workbench, workbench } from "../fixtures/workbench.js";
import { addUser, isRoot } from "../ssh/fixtures/users.js";

let bench: Workbench;
beforeAll(async () => {
  bench = await workbench({ args: ["--level", "static"] });
});
afterAll(() => bench.stub.stop());

type Wanted = Parameters<typeof runToEnd>[2];

const sessionID = newID("ses");
const run = (workspaceID: string, wanted: Wanted, session = newID("ses")) =>
  runToEnd(bench, workspaceID, { sessionID: session, ...wanted });
const secretFile = (name: string) => secretFileOf(bench, name);

const approvalsOf = async (id: string) =>
  (await bench.send<Approval[]>(`/experimental/workspace/${id}/approval`)).body.filter(
    ({ source }) => source === "reply",
  );

describe("a command that names a path outside", () => {
  it.each<[string, (secret: string) => Wanted]>([
    ["by ..", (secret) => ({ command: `cat ../${secret.split("/").slice(-2).join("/")}` })],
    ["as a whole", (secret) => ({ command: `cat ${secret}` })],
    ["by a variable", (secret) => ({ command: `a=${secret}; cat "$a"` })],
    ["by ~", (secret) => ({ command: `cat < ~/${secret.slice(bench.stub.home.length + 1)}` })],
    ["behind cd", (secret) => ({ command: `cd ${secret.slice(0, -7)} && cat secret` })],
    ["in a substitution", (secret) => ({ command: `echo "$(cat ${secret})"` })],
    ["for another shell", (secret) => ({ argv: ["sh", "-c", `cat ${secret}`] })],
    ["as an argument", (secret) => ({ argv: ["cat", secret] })],
  ])("%s is asked about before it runs, and does not run (row 18)", async (_, wanted) => {
    const workspace = await bench.workspace();
    const secret = await secretFile("private");
    const refused = await run(workspace.id, wanted(secret));
    expect(refused.code).toBe("permission_required");
    expect(secret.startsWith(refused.details?.path ?? "?")).toBe(true);
    expect(refused.details?.access).toBe("read");
    expect((await bench.send<CommandRecord[]>(`/command?workspace=${workspace.id}`)).body).toEqual([]);
  });

  it("to write it asks for the directory, for writing, and nothing is written (row 18)", async () => {
    const workspace = await bench.workspace();
    const outside = await bench.outside("written");
    for (const command of [
      `echo x > ${outside}/x`,
      `cp /etc/passwd ${outside}`,
      `mkdir -p ${outside}/a/b`,
      `touch ${outside}/x`,
    ]) {
      const refused = await run(workspace.id, { command });
      expect(refused.details).toMatchObject({ path: outside, access: "write", paths: [{ kind: "directory" }] });
    }
    const above = await run(workspace.id, { command: "echo x > ../x" });
    expect(above).toMatchObject({ code: "permission_required", details: { access: "write" } });
    expect(await readdir(outside)).toEqual([]);
    await expect(access(join(workspace.directory, "../x"))).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("by a link in the approved directory asks with the real path", async () => {
    const workspace = await bench.workspace();
    const secret = await secretFile("linked");
    await symlink(secret, join(workspace.directory, "link"));
    for (const command of ["cat ./link", `cat ${workspace.directory}/link`, "cat sub/../link"]) {
      await mkdir(join(workspace.directory, "sub"), { recursive: true });
      expect((await run(workspace.id, { command })).details?.path).toBe(secret);
    }
  });

  it("that is part of what every command gets, or is not there, or is no path, runs", async () => {
    const workspace = await bench.workspace();
    for (const command of [
      "head -1 /etc/passwd > /dev/null",
      "/bin/ls /usr/bin > /dev/null 2>&1",
      `test ! -e ${bench.stub.home}/nothing-here`,
      "echo ../secret /home 'say /root'",
      `echo x > ${workspace.directory}/inside && cat ./inside`,
      "sed 's/x/y/' inside | grep -v /z",
    ]) {
      expect(await run(workspace.id, { command })).toMatchObject({ state: "exited", exit: 0 });
    }
    expect(await bench.asks(workspace.id)).toEqual([]);
  });

  it("of the stub's own files is refused, the token first of all: no command approves itself with it (row 20)", async () => {
    const workspace = await bench.workspace();
    const { installRoot } = bench.stub;
    for (const path of ["run/stub.token", "state/approvals", "log/audit.log"]) {
      const refused = await run(workspace.id, { command: `cat ${installRoot}/${path}` });
      expect(refused.code).toBe("EACCES");
    }
    expect(await bench.asks(workspace.id)).toEqual([]);
  });
});

describe("one ask for all that a command names", () => {
  async function several() {
    const workspace = await bench.workspace();
    const [one, two] = [await secretFile("one"), await secretFile("two")];
    const out = await bench.outside("out");
    const command = `cat ${one} ${two} ${one} > ${out}/copy`;
    return { workspace, one, two, out, command };
  }

  it("lists each path once, and each directory once for OpenCode", async () => {
    const { workspace, one, two, out, command } = await several();
    const { details } = await run(workspace.id, { command });
    const paths = [
      { path: out, access: "write", kind: "directory" },
      { path: one, access: "read", kind: "file" },
      { path: two, access: "read", kind: "file" },
    ];
    expect(details).toMatchObject({ permission: "external_directory", path: out, access: "write", paths });
    expect(await bench.asks(workspace.id)).toMatchObject([
      { paths, patterns: [out, one.slice(0, -7), two.slice(0, -7)].map((directory) => `${directory}/*`) },
    ]);
  });

  it("once lets this command through, with all of it, and not the next", async () => {
    const { workspace, out, command } = await several();
    const permissionID = (await run(workspace.id, { command })).details?.permissionID ?? "";
    await bench.reply(permissionID, "once");
    expect(await run(workspace.id, { command, permissionID })).toMatchObject({ exit: 0 });
    expect(await readFile(join(out, "copy"), "utf8")).toBe("PRIVATE\n".repeat(3));
    expect(await run(workspace.id, { command, permissionID })).toMatchObject({ code: "permission_required" });
    expect(await approvalsOf(workspace.id)).toEqual([]);
  });

  it("always approves the directory of each for what it was wanted for, and the next asks nothing", async () => {
    const { workspace, one, two, out, command } = await several();
    const { details } = await run(workspace.id, { command });
    await bench.reply(details?.permissionID ?? "", "always");
    expect((await approvalsOf(workspace.id)).map(({ path, access }) => `${access} ${path}`)).toEqual([
      `write ${out}`,
      `read ${one.slice(0, -7)}`,
      `read ${two.slice(0, -7)}`,
    ]);
    expect(await run(workspace.id, { command })).toMatchObject({ exit: 0 });
    expect(await run(workspace.id, { command: `rm ${one}` })).toMatchObject({ code: "permission_required" });
  });

  it("always is refused as a whole where one of them is too much; nothing is kept, and once still works", async () => {
    const { workspace, one } = await several();
    const command = `ls ~ ${one}`;
    const permissionID = (await run(workspace.id, { command })).details?.permissionID ?? "";
    expect(await bench.reply(permissionID, "always")).toMatchObject({ status: 400, body: { code: "root_refused" } });
    expect(await approvalsOf(workspace.id)).toEqual([]);
    expect((await bench.reply(permissionID, "once")).status).toBe(200);
    expect(await run(workspace.id, { command, permissionID })).toMatchObject({ exit: 0 });
  });

  it("of forty commands at once is forty asks, of the same one asked twice is one, and a replay is 409 (rows 28-30)", async () => {
    const workspace = await bench.workspace();
    const secrets = await Promise.all(Array.from({ length: 40 }, (_, index) => secretFile(`many${index}`)));
    const refused = await Promise.all(secrets.map((secret) => run(workspace.id, { command: `cat ${secret}` })));
    expect(new Set(refused.map(({ details }) => details?.permissionID)).size).toBe(40);
    const again = await run(workspace.id, { command: `head ${secrets[0]}` });
    expect(again.details?.permissionID).toBe(refused[0]?.details?.permissionID);
    expect(await bench.asks(workspace.id)).toHaveLength(40);
    const permissionID = again.details?.permissionID ?? "";
    const replies = await Promise.all(Array.from({ length: 10 }, () => bench.reply(permissionID, "once")));
    expect(replies.map(({ status }) => status).sort()).toEqual([200, ...Array.from({ length: 9 }, () => 409)]);
  });

  it("rejected, the command does not run, and what the user said is in the answer", async () => {
    const { workspace, command, out } = await several();
    const permissionID = (await run(workspace.id, { command })).details?.permissionID ?? "";
    const body = { reply: "reject", message: "use the copy in the project" };
    await bench.send(`/permission/${permissionID}/reply`, { body, approver: bench.approver });
    const rejected = await run(workspace.id, { command, permissionID });
    expect(rejected).toMatchObject({ code: "permission_rejected" });
    expect(JSON.stringify(rejected)).toContain("use the copy in the project");
    expect(await readdir(out)).toEqual([]);
  });
});

describe("a command that no shell can read", () => {
  it("asks as a whole where only its text is looked at, once and never for always", async () => {
    const workspace = await bench.workspace();
    const command = "echo one; cat 'unfinished";
    const { details } = await run(workspace.id, { command });
    expect(details).toMatchObject({ permission: "unconfined", command });
    const permissionID = details?.permissionID ?? "";
    expect(await bench.reply(permissionID, "always")).toMatchObject({ status: 400, body: { code: "root_refused" } });
    await bench.reply(permissionID, "once");
    expect(await run(workspace.id, { command, permissionID })).toMatchObject({
      state: "exited",
      enforcement: { level: "static" },
    });
    expect((await run(workspace.id, { command, permissionID })).code).toBe("permission_required");
  });
});

describe("a command that is to run unconfined", () => {
  it("is shown whole, runs once after `once`, and every record of it says so", async () => {
    const workspace = await bench.workspace();
    const secret = await secretFile("unconfined");
    const command = `cat ${secret} # ${"long ".repeat(100)}end`;
    const { details } = await run(workspace.id, { command, unconfined: true }, sessionID);
    expect(details).toMatchObject({ permission: "unconfined", command, path: workspace.directory, access: "write" });
    expect(await bench.asks(workspace.id)).toMatchObject([{ permission: "unconfined", patterns: [command], command }]);
    const permissionID = details?.permissionID ?? "";
    expect(await bench.reply(permissionID, "always")).toMatchObject({ status: 400, body: { code: "root_refused" } });
    await bench.reply(permissionID, "once");
    expect((await run(workspace.id, { command: "cat /etc/shadow", unconfined: true, permissionID })).code).toBe(
      "permission_required",
    );
    const record = await run(workspace.id, { command, unconfined: true, permissionID }, sessionID);
    expect(record).toMatchObject({
      output: "PRIVATE\n",
      enforcement: { level: "off", gaps: expect.arrayContaining(["unconfined"]), reason: "unconfined, approved once" },
    });
    expect((await run(workspace.id, { command, unconfined: true, permissionID }, sessionID)).code).toBe(
      "permission_required",
    );
    const lines = (await bench.send<string>("/audit?limit=1000")).body
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines.filter((line) => line.permissionID === permissionID)).toMatchObject([
      { event: "ask", permission: "unconfined", command },
      { event: "reply", permission: "unconfined", command, decision: "once", approver: expect.any(String) },
    ]);
    expect(lines.find((line) => line.event === "command" && line.commandID === record.commandID)).toMatchObject({
      decision: "unconfined",
    });
  });
});

describe.skipIf(!isRoot)("a command of an ordinary user (needs root, to make one)", () => {
  it("that the host itself refuses is asked to nobody: it fails as it would anyway", async () => {
    const user = await addUser();
    const own = await workbench({ args: ["--level", "static"], user });
    onTestFinished(async () => {
      await own.stub.stop();
      await user.remove();
    });
    const workspace = await own.workspace();
    for (const command of ["cat /root/.profile", "cat /etc/shadow", "touch /root/x", "rm /etc/passwd"]) {
      expect(await runToEnd(own, workspace.id, { command })).toMatchObject({ state: "exited", exit: 1 });
    }
    expect(await runToEnd(own, workspace.id, { command: "touch /var/tmp/x" })).toMatchObject({
      code: "permission_required",
      details: { path: "/var/tmp", access: "write" },
    });
  });
});
