// Asking: default deny, answers that mean what they say, and nobody asked twice for one thing.
import { mkdir, rename, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { newID } from "../../protocol/ids.js";
import type { PermissionRequired } from "../../protocol/permission.js";
import type { Approval } from "../../protocol/workspace.js";
import { describe } from "../fixtures/with-compiler.js";
import { eventually, type Workbench, workbench } from "../fixtures/workbench.js";

let bench: Workbench;
beforeAll(async () => {
  bench = await workbench();
});
afterAll(() => bench.stub.stop());

interface Refused {
  code: string;
  details: PermissionRequired;
}

const stat = (workspace: string, path: string, more = "onAsk=fail") =>
  bench.send<Refused>(`/file/stat?path=${encodeURIComponent(path)}&${more}`, { workspace });
const put = (workspace: string, path: string, more = "onAsk=fail") =>
  bench.send<Refused>(`/file/content?path=${encodeURIComponent(path)}&${more}`, {
    method: "PUT",
    body: new TextEncoder().encode("x"),
    workspace,
  });

describe("an ask", () => {
  it("names the real path, the access and the reason, in OpenCode's shape beside our own", async () => {
    const workspace = await bench.workspace();
    const outside = await bench.outside("outside");
    await writeFile(join(outside, "f"), "");
    await symlink(join(outside, "f"), join(workspace.directory, "link"));
    const { status, body } = await stat(workspace.id, "link");
    expect(status).toBe(403);
    expect(body).toMatchObject({ code: "permission_required", details: { path: join(outside, "f"), access: "read" } });
    expect(await bench.asks(workspace.id)).toEqual([
      expect.objectContaining({
        id: body.details.permissionID,
        permission: "external_directory",
        patterns: [`${outside}/*`],
        always: [],
        metadata: { filepath: join(outside, "f"), parentDir: outside },
        workspaceID: workspace.id,
        path: join(outside, "f"),
        access: "read",
      }),
    ]);
  });

  it("forty different ones at once are forty asks with forty ids (row 30)", async () => {
    const workspace = await bench.workspace();
    const outside = await bench.outside("many");
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, index) => stat(workspace.id, join(outside, `f${index}`))),
    );
    expect(new Set(answers.map(({ body }) => body.details.permissionID)).size).toBe(40);
    expect(await bench.asks(workspace.id)).toHaveLength(40);
  });

  it("the same question while it is pending is one ask; another access is another one (row 28)", async () => {
    const workspace = await bench.workspace();
    const path = join(await bench.outside("same"), "f");
    const answers = await Promise.all(Array.from({ length: 20 }, () => stat(workspace.id, path)));
    expect(new Set(answers.map(({ body }) => body.details.permissionID)).size).toBe(1);
    await put(workspace.id, path);
    expect((await bench.asks(workspace.id)).map(({ access }) => access).sort()).toEqual(["read", "write"]);
  });

  it("holds the request with onAsk=wait until it is answered, and ends with its request", async () => {
    const workspace = await bench.workspace();
    const path = await bench.outside("waited");
    const waiting = stat(workspace.id, path, "onAsk=wait");
    const ask = await eventually(async () => (await bench.asks(workspace.id))[0]);
    expect((await bench.reply(ask.id, "once")).status).toBe(200);
    expect((await waiting).status).toBe(200);

    const leaving = new AbortController();
    const left = bench.send(`/file/stat?path=${path}`, { workspace: workspace.id, signal: leaving.signal });
    const second = await eventually(async () => (await bench.asks(workspace.id))[0]);
    leaving.abort();
    await expect(left).rejects.toThrow();
    await eventually(async () => ((await bench.asks(workspace.id)).length === 0 ? true : undefined));
    expect((await bench.reply(second.id, "once")).status).toBe(409);
  });
});

describe("a reply", () => {
  it("is once, always or reject, and nothing else; a wrong one changes nothing (row 29)", async () => {
    const workspace = await bench.workspace();
    const { body } = await stat(workspace.id, await bench.outside("banana"));
    const { permissionID } = body.details;
    for (const reply of ["banana", "", "Always", "once ", null, 1, ["once"]]) {
      const answer = await bench.reply(permissionID, reply as string);
      expect(answer).toMatchObject({ status: 400, body: { code: "invalid_request" } });
    }
    expect(await bench.asks(workspace.id)).toHaveLength(1);
    expect((await bench.reply(permissionID, "once")).status).toBe(200);
  });

  it("counts once: of thirty at the same time one is taken, one approval made, the rest are 409 (row 29)", async () => {
    const workspace = await bench.workspace();
    const { body } = await stat(workspace.id, await bench.outside("thirty"));
    const answers = await Promise.all(
      Array.from({ length: 30 }, () => bench.reply(body.details.permissionID, "always")),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array.from({ length: 29 }, () => 409)]);
    const approvals = (await bench.send<Approval[]>(`/experimental/workspace/${workspace.id}/approval`)).body;
    expect(approvals.filter(({ source }) => source === "reply")).toHaveLength(1);
  });

  it("to an unknown ask is 404", async () => {
    expect(await bench.reply(newID("per"), "once")).toMatchObject({
      status: 404,
      body: { code: "permission_unknown" },
    });
  });
});

describe("once", () => {
  it("permits the retry that names it, exactly once, and is kept nowhere (row 28)", async () => {
    const workspace = await bench.workspace();
    const path = await bench.outside("once");
    const { permissionID } = (await stat(workspace.id, path)).body.details;
    await bench.reply(permissionID, "once");
    const retry = () => stat(workspace.id, path, `onAsk=fail&permissionID=${permissionID}`);
    expect((await stat(workspace.id, path)).status).toBe(403);
    expect((await retry()).status).toBe(200);
    const third = await retry();
    expect(third.status).toBe(403);
    expect(third.body.details.permissionID).not.toBe(permissionID);
    const approvals = (await bench.send<Approval[]>(`/experimental/workspace/${workspace.id}/approval`)).body;
    expect(approvals).toHaveLength(1);
  });

  it("of twenty retries at the same time one gets through", async () => {
    const workspace = await bench.workspace();
    const path = await bench.outside("race");
    const { permissionID } = (await stat(workspace.id, path)).body.details;
    await bench.reply(permissionID, "once");
    const retries = Array.from({ length: 20 }, () =>
      stat(workspace.id, path, `onAsk=fail&permissionID=${permissionID}`),
    );
    const through = (await Promise.all(retries)).filter(({ status }) => status === 200);
    expect(through).toHaveLength(1);
  });

  it("is bound to workspace, path and access", async () => {
    const workspace = await bench.workspace();
    const other = await bench.workspace();
    const path = join(await bench.outside("bound"), "f");
    await writeFile(path, "");
    const { permissionID } = (await stat(workspace.id, path)).body.details;
    await bench.reply(permissionID, "once");
    const more = `onAsk=fail&permissionID=${permissionID}`;
    expect((await stat(other.id, path, more)).status).toBe(403);
    expect((await stat(workspace.id, `${path}2`, more)).status).toBe(403);
    expect((await put(workspace.id, path, more)).status).toBe(403);
    expect((await stat(workspace.id, path, more)).status).toBe(200);
  });

  it("a command in an approved-once directory runs, and the next one asks again", async () => {
    const workspace = await bench.workspace();
    const cwd = await bench.outside("cwd");
    const sessionID = newID("ses");
    const run = (permissionID?: string) => {
      const command = { commandID: newID("cmd"), sessionID, workspaceID: workspace.id, command: "pwd > here", cwd };
      return bench.send<Refused>("/command", { body: { ...command, onAsk: "fail", permissionID } });
    };
    const { permissionID } = (await run()).body.details;
    await bench.reply(permissionID, "once");
    expect((await run(permissionID)).status).toBe(200);
    expect((await run(permissionID)).status).toBe(403);
  });

  it("moving a file between two places needs both, and the second answer brings the first along", async () => {
    const workspace = await bench.workspace();
    const outside = await bench.outside("move");
    await writeFile(join(outside, "from"), "x");
    const move = (more = "") =>
      bench.send<Refused>(`/file/move?onAsk=fail${more}`, {
        body: { from: join(outside, "from"), to: join(outside, "to") },
        workspace: workspace.id,
      });
    const asks = (await move()).body.details as PermissionRequired & { asks: PermissionRequired[] };
    expect(asks.asks.map(({ path }) => path)).toEqual([join(outside, "from"), join(outside, "to")]);
    await bench.reply(asks.permissionID, "once");
    const second = (await move(`&permissionID=${asks.permissionID}`)).body.details;
    expect(second.path).toBe(join(outside, "to"));
    await bench.reply(second.permissionID, "once");
    expect((await move(`&permissionID=${second.permissionID}`)).status).toBe(200);
  });
});

describe("always", () => {
  it("approves what the prompt showed, for this access, until it is revoked (rows 28, 30)", async () => {
    const workspace = await bench.workspace();
    const outside = await bench.outside("always");
    await mkdir(join(outside, "deep"));
    await writeFile(join(outside, "f"), "");
    const { permissionID } = (await stat(workspace.id, join(outside, "f"))).body.details;
    await bench.reply(permissionID, "always");
    const seen = await Promise.all(["f", "deep", "deep/none"].map((name) => stat(workspace.id, join(outside, name))));
    expect(seen.map(({ status }) => status)).toEqual([200, 200, 404]);
    expect((await stat(workspace.id, `${outside}x`)).status).toBe(403);
    expect((await put(workspace.id, join(outside, "f"))).status).toBe(403);

    const list = `/experimental/workspace/${workspace.id}/approval`;
    const approval = (await bench.send<Approval[]>(list)).body.find(({ source }) => source === "reply");
    expect(approval).toMatchObject({ path: outside, access: "read" });
    expect((await bench.send(`${list}/${approval?.id}`, { method: "DELETE", approver: bench.approver })).status).toBe(
      200,
    );
    expect((await stat(workspace.id, join(outside, "f"))).status).toBe(403);
    expect((await bench.send(`${list}/${approval?.id}`, { method: "DELETE", approver: bench.approver })).status).toBe(
      404,
    );
  });

  it("once and then always: every later request passes, none asks (row 28)", async () => {
    const workspace = await bench.workspace();
    const path = await bench.outside("mixed");
    const first = (await stat(workspace.id, path)).body.details.permissionID;
    await bench.reply(first, "once");
    await stat(workspace.id, path, `onAsk=fail&permissionID=${first}`);
    const second = (await stat(workspace.id, path)).body.details.permissionID;
    await bench.reply(second, "always");
    const answers = await Promise.all(Array.from({ length: 40 }, () => stat(workspace.id, path)));
    expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
    expect(await bench.asks(workspace.id)).toEqual([]);
  });

  it("is refused for /, the home and /etc/.. alike; the ask stays, and once still works", async () => {
    const workspace = await bench.workspace();
    for (const path of ["/", bench.stub.home, "/etc/.."]) {
      const { permissionID } = (await stat(workspace.id, path)).body.details;
      expect(await bench.reply(permissionID, "always")).toMatchObject({ status: 400, body: { code: "root_refused" } });
      expect((await bench.reply(permissionID, "once")).status).toBe(200);
      expect((await stat(workspace.id, path, `onAsk=fail&permissionID=${permissionID}`)).status).toBe(200);
    }
  });

  it("for a file in the home approves that file alone, and the prompt says so", async () => {
    const workspace = await bench.workspace();
    const file = join(bench.stub.home, ".npmrc");
    await writeFile(file, "");
    const { permissionID } = (await stat(workspace.id, file)).body.details;
    expect((await bench.asks(workspace.id))[0]?.patterns).toEqual([file]);
    await bench.reply(permissionID, "always");
    expect((await stat(workspace.id, file)).status).toBe(200);
    expect((await stat(workspace.id, join(bench.stub.home, ".netrc"))).status).toBe(403);
  });

  it("is bound to the directory itself: moved away and replaced by a link, it asks again", async () => {
    const workspace = await bench.workspace();
    const parent = await bench.outside("swap");
    const vendor = join(parent, "vendor");
    const secret = await bench.outside("secret");
    await mkdir(vendor);
    await writeFile(join(secret, "key"), "SECRET");
    const { permissionID } = (await stat(workspace.id, vendor)).body.details;
    await bench.reply(permissionID, "always");
    expect((await stat(workspace.id, vendor)).status).toBe(200);

    await rename(vendor, `${vendor}2`);
    await symlink(secret, vendor);
    expect((await stat(workspace.id, join(vendor, "key"))).body).toMatchObject({
      details: { path: join(secret, "key") },
    });
    await rename(vendor, `${vendor}3`);
    await mkdir(vendor);
    expect((await stat(workspace.id, vendor)).status).toBe(403);
  });

  it("compares by component: an approved /a/b says nothing about /a/bc", async () => {
    const parent = await bench.outside("component");
    for (const name of ["b", "bc"]) await mkdir(join(parent, name));
    const workspace = await bench.workspace({ directory: join(parent, "b") });
    expect((await stat(workspace.id, join(parent, "b"))).status).toBe(200);
    expect((await stat(workspace.id, join(parent, "bc"))).status).toBe(403);
    expect((await stat(workspace.id, "../bc")).status).toBe(403);
  });

  it("survives a restart only in the file of its workspace: read roots are read only", async () => {
    const readable = await bench.outside("readable");
    await writeFile(join(readable, "f"), "text");
    const workspace = await bench.workspace({ readRoots: [readable] });
    expect((await stat(workspace.id, join(readable, "f"))).status).toBe(200);
    expect((await put(workspace.id, join(readable, "f"))).body).toMatchObject({
      code: "permission_required",
      details: { access: "write" },
    });
  });
});

describe("reject", () => {
  it("reaches the request that waits, and the one that comes back, with the user's words", async () => {
    const workspace = await bench.workspace();
    const path = await bench.outside("rejected");
    const waiting = stat(workspace.id, path, "onAsk=wait");
    const ask = await eventually(async () => (await bench.asks(workspace.id))[0]);
    const body = { reply: "reject", message: "not that one" };
    expect((await bench.send(`/permission/${ask.id}/reply`, { body, approver: bench.approver })).status).toBe(200);
    expect(await waiting).toMatchObject({
      status: 403,
      body: { code: "permission_rejected", message: expect.stringContaining("not that one") },
    });
    const back = await stat(workspace.id, path, `onAsk=fail&permissionID=${ask.id}`);
    expect(back.body).toMatchObject({ code: "permission_rejected" });
    expect((await stat(workspace.id, path)).body).toMatchObject({ code: "permission_required" });
  });

  it("and every other answer is in the audit log behind its question, with who gave it", async () => {
    const workspace = await bench.workspace();
    const { permissionID } = (await stat(workspace.id, await bench.outside("audited"))).body.details;
    await bench.reply(permissionID, "reject");
    const lines = (await bench.send<string>("/audit?limit=1000")).body
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    const about = { permission: "external_directory", access: "read", workspaceID: workspace.id };
    expect(lines.filter((line) => line.permissionID === permissionID)).toMatchObject([
      { event: "ask", ...about, reason: expect.any(String) },
      { event: "reply", ...about, decision: "reject", approver: expect.stringMatching(/^[0-9a-f]{16}$/) },
    ]);
  });
});
