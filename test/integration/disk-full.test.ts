// A disk that fills up under a running stub: every request that cannot be kept says so, nothing is pretended, and it goes on.
import { mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { newID } from "../../protocol/ids.js";
import type { Approval } from "../../protocol/workspace.js";
import { canMount, reason } from "../binary/fixtures/needs.js";
import { type SmallDisk, smallDisk } from "../fixtures/small-disk.js";
import { describe } from "../fixtures/with-compiler.js";
import { eventually, type Workbench, workbench } from "../fixtures/workbench.js";

const BASE = "/experimental/workspace";
const full = { status: 507, body: { code: "ENOSPC" } };

describe.skipIf(!canMount)(`with a full disk${reason(canMount, "root that may mount")}`, () => {
  let disk: SmallDisk;
  let bench: Workbench;
  beforeAll(async () => {
    disk = await smallDisk("size=4m");
    bench = await workbench({ installRoot: join(disk.path, "root"), version: "0.1.0" });
  });
  afterAll(async () => {
    await bench.stub.stop();
    await disk[Symbol.asyncDispose]();
  });

  const whileFull = async (work: () => Promise<void>) => {
    await disk.fill();
    try {
      await work();
    } finally {
      await disk.free();
    }
  };

  it("health says that there is little room, before and after", async () => {
    const { body } = await bench.send<{ problems: object[] }>("/global/health");
    expect(body.problems).toEqual([expect.objectContaining({ code: "disk_low", path: expect.any(String) })]);
  });

  it("a workspace is not made: ENOSPC, nothing in memory, and the same request works later (row 37)", async () => {
    const directory = join(dirname(disk.path), `${disk.path}-home`);
    await mkdir(directory, { recursive: true });
    const id = newID("wrk");
    const create = () => bench.send(BASE, { body: { id, type: "test", directory }, approver: bench.approver });
    await whileFull(async () => {
      expect(await create()).toMatchObject(full);
      expect(await bench.send(`${BASE}/${id}/context`)).toMatchObject({ body: { code: "workspace_unknown" } });
      expect(await bench.send(`${BASE}/${id}/approval`)).toMatchObject({ body: { code: "workspace_unknown" } });
    });
    expect((await create()).status).toBe(200);
  });

  it("a session is neither made nor renamed (row 37)", async () => {
    const workspace = await bench.workspace();
    const old = { id: newID("ses"), workspaceID: workspace.id, title: "old" };
    await bench.send("/session", { body: old });
    const next = { ...old, id: newID("ses") };
    const rename = () => bench.send(`/session/${old.id}`, { method: "PATCH", body: { title: "x".repeat(500) } });
    await whileFull(async () => {
      expect(await bench.send("/session", { body: next })).toMatchObject(full);
      expect(await bench.send(`/session/${next.id}`)).toMatchObject({ body: { code: "session_unknown" } });
      expect(await rename()).toMatchObject(full);
      expect((await bench.send(`/session/${old.id}`)).body).toMatchObject({ title: "old" });
    });
    expect((await bench.send("/session", { body: next })).status).toBe(200);
    expect((await rename()).status).toBe(200);
  });

  it("an approval is not given: the ask stays, nothing is approved, and the same reply works later (row 37)", async () => {
    const workspace = await bench.workspace();
    const path = await bench.outside("asked");
    const stat = () =>
      bench.send<{ code: string; details: { permissionID: string } }>(`/file/stat?path=${path}&onAsk=fail`, {
        workspace: workspace.id,
      });
    const { permissionID } = (await stat()).body.details;
    const given = async () => {
      const { body } = await bench.send<Approval[]>(`${BASE}/${workspace.id}/approval`);
      return body.filter(({ source }) => source === "reply").length;
    };
    await whileFull(async () => {
      for (const reply of ["always", "once", "reject"]) {
        expect(await bench.reply(permissionID, reply)).toMatchObject(full);
      }
      expect((await bench.asks(workspace.id)).map(({ id }) => id)).toEqual([permissionID]);
      expect([(await stat()).status, await given()]).toEqual([403, 0]);
    });
    expect((await bench.reply(permissionID, "always")).status).toBe(200);
    expect([(await stat()).status, await given()]).toEqual([200, 1]);
  });

  it("the audit log has whole lines only, those from before and after", async () => {
    const lines = (await bench.send<string>("/audit?limit=10000")).body.trim().split("\n");
    expect(lines.filter((line) => line !== "" && !isWhole(line)).length).toBeLessThanOrEqual(3);
    expect(lines.at(-1)).toContain('"always"');
  });

  it("commands that end meanwhile do not take the stub with them, though their ends cannot be written down", async () => {
    const workspace = await bench.workspace();
    const go = join(workspace.directory, "go");
    // More than what may be left of the audit log's last page.
    const commands = Array.from({ length: 40 }, () => newID("cmd"));
    const command = `while [ ! -e ${go} ]; do sleep 0.05; done`;
    const body = { sessionID: newID("ses"), workspaceID: workspace.id, command, timeoutMs: 60_000 };
    for (const commandID of commands) await bench.send("/command", { body: { ...body, commandID } });
    const states = async () => {
      const all = [];
      for (const id of commands) all.push((await bench.send<{ state: string }>(`/command/${id}`)).body.state);
      return all;
    };
    await whileFull(async () => {
      await writeFile(go, "");
      await eventually(async () => ((await states()).every((state) => state !== "running") ? true : undefined));
      const health = await bench.send<{ stub: { instanceID: string } }>("/global/health");
      expect(health).toMatchObject({ status: 200, body: { stub: { instanceID: bench.stub.instanceID } } });
    });
    await rm(go);
    expect((await bench.send("/global/health")).status).toBe(200);
  });
});

function isWhole(line: string): boolean {
  try {
    JSON.parse(line);
    return true;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}
