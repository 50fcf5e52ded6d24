// Workspaces: created once, kept across restarts, gone for good when they are deleted.
import { access, mkdir, readdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { newID } from "../../protocol/ids.js";
import type { Approval } from "../../protocol/workspace.js";
import { Mark } from "../fixtures/marked-processes.js";
import { startStub } from "../fixtures/stub.js";
import { describe } from "../fixtures/with-compiler.js";
import { eventually, type Workbench, workbench } from "../fixtures/workbench.js";

let bench: Workbench;
beforeAll(async () => {
  bench = await workbench();
});
afterAll(() => bench.stub.stop());

const BASE = "/experimental/workspace";
const create = (body: object) => bench.send(BASE, { body: { type: "test", ...body }, approver: bench.approver });

describe("creating", () => {
  it("a second time with the same id is a conflict and changes nothing (row 38)", async () => {
    const first = await bench.workspace();
    const other = await bench.outside("other");
    expect(await create({ id: first.id, directory: other })).toMatchObject({
      status: 409,
      body: { code: "workspace_exists" },
    });
    const [same] = (await bench.send<{ id: string; directory: string }[]>(BASE)).body.filter(
      ({ id }) => id === first.id,
    );
    expect(same?.directory).toBe(first.directory);
    const twice = newID("wrk");
    const both = await Promise.all([create({ id: twice, directory: other }), create({ id: twice, directory: other })]);
    expect(both.map(({ status }) => status).sort()).toEqual([200, 409]);
  });

  it("an id can leave no directory: nothing but letters and digits is one (row 21)", async () => {
    for (const id of [
      "../../../x",
      "wrk_../../x",
      "wrk_",
      "wrk_short",
      `wrk_${"a".repeat(65)}`,
      "wrk_abcdefg/",
      "wrk_abcdefgh\n",
    ]) {
      expect(await create({ id, directory: bench.stub.home })).toMatchObject({
        status: 400,
        body: { code: "invalid_request" },
      });
    }
    for (const path of [`${BASE}/..%2f..%2f..%2fx`, `${BASE}/wrk_%00`, `${BASE}/%2e%2e`, "/session/..%2f..%2fx"]) {
      const answer = await bench.send(path, { method: "DELETE", approver: bench.approver });
      expect([path, answer.status]).toEqual([path, path.endsWith("%2e%2e") ? 404 : 400]);
    }
    const files = (await readdir(bench.stub.installRoot, { recursive: true })).filter((name) => name.endsWith(".json"));
    for (const file of files) expect(file).toMatch(/^(run\/stub|state\/\w+\/\w+)\.json$/);
  });

  it("resolves the directory to its real path; a relative one, a file and a missing one are refused", async () => {
    const real = await bench.outside("real");
    await symlink(real, `${real}-link`);
    const linked = await create({ directory: `${real}-link` });
    expect(linked.body).toMatchObject({ directory: real });
    await writeFile(join(real, "file"), "");
    expect(await create({ directory: join(real, "file") })).toMatchObject({ status: 400, body: { code: "ENOTDIR" } });
    expect(await create({ directory: join(real, "missing") })).toMatchObject({
      status: 400,
      body: { code: "cwd_missing" },
    });
    expect(await create({ directory: "real" })).toMatchObject({ status: 400, body: { code: "root_refused" } });
  });

  it("refuses roots that hold more than a project: /, the home and what is above it, the install root, /proc", async () => {
    // where nothing in them can be hidden
    const plain = await workbench({ args: ["--level", "landlock"] });
    onTestFinished(() => plain.stub.stop());
    const { home, installRoot } = plain.stub;
    const make = (body: object) => plain.send(BASE, { body: { type: "test", ...body }, approver: plain.approver });
    await symlink("/", join(home, "sneaky"));
    for (const directory of [
      "/",
      "~",
      "~/",
      home,
      join(home, ".."),
      installRoot,
      join(installRoot, "state"),
      "/proc",
      "/proc/self/cwd",
      join(home, "sneaky"),
    ]) {
      const answer = await make({ directory });
      expect([directory, answer.status]).toEqual([directory, directory.startsWith("/proc") ? 403 : 400]);
      if (answer.status === 400)
        expect(answer.body).toMatchObject({ code: "root_refused", hint: expect.stringContaining("~/project") });
      expect((await make({ readRoots: [directory] })).status).not.toBe(200);
    }
  });

  it("fails when it cannot be saved, and then is not there either (row 37)", async () => {
    const id = newID("wrk");
    const directory = await bench.outside("unsaved");
    const store = join(bench.stub.installRoot, "state/workspaces");
    await rename(store, `${store}.away`);
    const answer = await create({ id, directory });
    await rename(`${store}.away`, store);
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect((await bench.send(`${BASE}/${id}/context`)).body).toMatchObject({ code: "workspace_unknown" });
    expect((await create({ id, directory })).status).toBe(200);
  });
});

describe("deleting", () => {
  it("an unknown id is 404, and an empty one deletes nothing (rows 21, 38)", async () => {
    const workspace = await bench.workspace();
    const remove = (id: string) => bench.send(`${BASE}/${id}`, { method: "DELETE", approver: bench.approver });
    expect(await remove(newID("wrk"))).toMatchObject({ status: 404, body: { code: "workspace_unknown" } });
    expect((await remove("")).status).toBeGreaterThanOrEqual(400);
    expect((await bench.send(`${BASE}/${workspace.id}/context`)).status).toBe(200);
  });

  it("ends its sessions, commands, asks and approvals: nothing of it runs any more (row 22)", async () => {
    const workspace = await bench.workspace();
    const sessionID = newID("ses");
    const mark = new Mark();
    const text = "setsid sleep 300 & sleep 300";
    const command = { commandID: newID("cmd"), sessionID, workspaceID: workspace.id, command: text, env: mark.env };
    expect((await bench.send("/command", { body: command })).body).toMatchObject({ state: "running" });
    await bench.send("/file/stat?path=/etc&onAsk=fail", { workspace: workspace.id });
    expect(await bench.asks(workspace.id)).toHaveLength(1);
    await eventually(async () => ((await mark.pids()).length >= 3 ? true : undefined)); // the shell and both

    expect((await bench.send(`${BASE}/${workspace.id}`, { method: "DELETE", approver: bench.approver })).status).toBe(
      200,
    );

    // The answer comes when the kill is confirmed, of what called setsid, too.
    expect(await mark.pids()).toEqual([]);
    expect(await bench.asks(workspace.id)).toEqual([]);
    const gone = { status: 404, body: { code: "session_unknown" } };
    expect(await bench.send(`/session/${sessionID}`)).toMatchObject(gone);
    expect(await bench.send(`/session/${sessionID}/shell`, { body: { command: "touch came-back" } })).toMatchObject(
      gone,
    );
    const again = { commandID: newID("cmd"), sessionID, command: "touch came-back" };
    expect(await bench.send("/command", { body: again })).toMatchObject(gone);
    expect(await bench.send("/command", { body: { ...again, workspaceID: workspace.id } })).toMatchObject({
      status: 404,
      body: { code: "workspace_unknown" },
    });
    await expect(access(join(workspace.directory, "came-back"))).rejects.toMatchObject({ code: "ENOENT" });
    const audit = (await bench.send<string>("/audit?limit=1000")).body
      .split("\n")
      .filter((line) => line.includes(command.commandID));
    expect(audit.some((line) => line.includes('"event":"exit"') && line.includes('"killed"'))).toBe(true);
  });

  it("takes the approvals along: the same id created anew starts from nothing", async () => {
    const workspace = await bench.workspace();
    const ask = await bench.send<{ details: { permissionID: string } }>("/file/stat?path=/etc&onAsk=fail", {
      workspace: workspace.id,
    });
    expect((await bench.reply(ask.body.details.permissionID, "always")).status).toBe(200);
    expect((await bench.send("/file/stat?path=/etc&onAsk=fail", { workspace: workspace.id })).status).toBe(200);
    await bench.send(`${BASE}/${workspace.id}`, { method: "DELETE", approver: bench.approver });
    expect((await create({ id: workspace.id, directory: workspace.directory })).status).toBe(200);
    expect((await bench.send("/file/stat?path=/etc&onAsk=fail", { workspace: workspace.id })).status).toBe(403);
    const approvals = (await bench.send<Approval[]>(`${BASE}/${workspace.id}/approval`)).body;
    expect(approvals.map(({ path, source }) => [path, source])).toEqual([[workspace.directory, "root"]]);
  });
});

describe("a workspace tells what opening it needs", () => {
  it("context: directory, host, user, enforcement with its gaps, and AGENTS.md before CLAUDE.md", async () => {
    const workspace = await bench.workspace();
    await writeFile(join(workspace.directory, "CLAUDE.md"), "second");
    const context = () => bench.send<{ instructions: unknown[] }>(`${BASE}/${workspace.id}/context`);
    expect((await context()).body).toMatchObject({
      workspace: { id: workspace.id, directory: workspace.directory },
      home: bench.stub.home,
      enforcement: { level: expect.any(String), ask: expect.any(Boolean), gaps: expect.any(Array) },
      stub: { instanceID: bench.stub.instanceID },
      instructions: [{ path: join(workspace.directory, "CLAUDE.md"), text: "second" }],
    });
    await writeFile(join(workspace.directory, "AGENTS.md"), "x".repeat(70_000));
    expect((await context()).body.instructions).toEqual([
      { path: join(workspace.directory, "AGENTS.md"), text: "x".repeat(65_536) },
    ]);
  });

  it("never reads instructions through a link that leads outside, and asks nobody", async () => {
    const workspace = await bench.workspace();
    const outside = await bench.outside("secret");
    await writeFile(join(outside, "notes"), "SECRET");
    await symlink(join(outside, "notes"), join(workspace.directory, "AGENTS.md"));
    expect((await bench.send(`${BASE}/${workspace.id}/context`)).body).toMatchObject({ instructions: [] });
  });

  it("status says error once the directory is gone", async () => {
    const workspace = await bench.workspace();
    const status = async () => {
      const { body } = await bench.send<{ workspaceID: string; status: string }[]>(`${BASE}/status`);
      return body.find(({ workspaceID }) => workspaceID === workspace.id)?.status;
    };
    expect(await status()).toBe("connected");
    await rm(workspace.directory, { recursive: true });
    expect(await status()).toBe("error");
  });
});

describe("after kill -9", () => {
  it("workspaces, sessions and approvals are there again; a damaged file is set aside and reported (row 37)", async () => {
    const root = join(await bench.outside("restart"), "root");
    const first = await startStub({ installRoot: root, version: "0.1.0" });
    const key = await first.registerApprover();
    const approver = await key.secret();
    const directory = join(first.home, "kept");
    await mkdir(directory, { recursive: true });
    const ids = [newID("wrk"), newID("wrk")] as const;
    for (const id of ids) await first.fetch(BASE, { body: { id, type: "test", directory }, approver });
    const session = { id: newID("ses"), workspaceID: ids[0], title: "kept" };
    expect((await first.fetch("/session", { body: session })).status).toBe(200);
    await first.stop("SIGKILL");
    const damaged = join(root, "state/workspaces", `${ids[1]}.json`);
    await writeFile(damaged, (await readFile(damaged, "utf8")).slice(0, 40));

    await using second = await startStub({ installRoot: root, version: "0.1.0" });
    const list = (await (await second.fetch(BASE)).json()) as { id: string }[];
    expect(list.map(({ id }) => id)).toEqual([ids[0]]);
    expect(await (await second.fetch(`/session/${session.id}`)).json()).toMatchObject({ title: "kept" });
    expect((await second.fetch("/file?path=.", { workspace: ids[0] })).status).toBe(200);
    const names = await readdir(join(root, "state/workspaces"));
    expect(names.filter((name) => name.startsWith(`${ids[1]}.json.bad-`))).toHaveLength(1);
    expect(await readFile(join(root, "log/stub.log"), "utf8")).toContain("set aside");
  });
});
