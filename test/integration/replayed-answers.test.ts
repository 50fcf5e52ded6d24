// A change whose answer was lost, sent again: done once, answered alike. Through HTTP as a client sends it.
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { BatchAnswer, FileWritten } from "../../protocol/file.js";
import type { Workspace } from "../../protocol/workspace.js";
import { describe } from "../fixtures/with-compiler.js";
import { type Workbench, workbench } from "../fixtures/workbench.js";

let bench: Workbench;
let workspace: Workspace & { directory: string };
beforeAll(async () => {
  bench = await workbench();
  workspace = await bench.workspace();
});
afterAll(() => bench.stub.stop());

const TWICE: Record<string, string>[] = [{}, { "x-request-retry": "1" }];

let count = 0;
const newID = (instance = bench.stub.instanceID) => `${instance}:test-request-${++count}`;
const at = (name: string) => join(workspace.directory, name);

const send = <T>(method: string, path: string, body: unknown, headers: Record<string, string>) =>
  bench.send<T & { code?: string }>(path, { method, body: body as object, headers, workspace: workspace.id });
const write = (name: string, text: string, ifMatch: string, headers: Record<string, string> = {}) =>
  send<FileWritten>(
    "PUT",
    `/file/content?${new URLSearchParams({ path: at(name), ifMatch })}`,
    Buffer.from(text),
    headers,
  );

describe("a change that is sent again under its id", () => {
  it("is no conflict with itself; without an id it is one (control)", async () => {
    const headers = { "x-request-id": newID() };
    const first = await write("mine", "one", "absent", headers);
    expect(first).toMatchObject({ status: 200, body: { existed: false, size: 3 } });
    const again = await write("mine", "one", "absent", { ...headers, "x-request-retry": "1" });
    expect(again.body).toEqual(first.body);
    expect(again.headers.get("content-type")).toBe(first.headers.get("content-type"));
    expect(await write("mine", "one", "absent")).toMatchObject({ status: 409, body: { code: "conflict" } });
  });

  it("does not overwrite what somebody wrote in between", async () => {
    const headers = { "x-request-id": newID() };
    const { body } = await write("shared", "mine", "absent", headers);
    await writeFile(at("shared"), "theirs");
    expect((await write("shared", "mine", "absent", { ...headers, "x-request-retry": "1" })).body).toEqual(body);
    expect(await readFile(at("shared"), "utf8")).toBe("theirs");
  });

  it("moves, removes and makes once, and gives a refusal again as well", async () => {
    await writeFile(at("from"), "x");
    const move = { from: at("from"), to: at("to") };
    const moving = { "x-request-id": newID() };
    expect((await send("POST", "/file/move", move, moving)).status).toBe(200);
    await writeFile(at("from"), "another file of the same name");
    expect(await send("POST", "/file/move", move, { ...moving, "x-request-retry": "1" })).toMatchObject({
      status: 200,
      body: true,
    });
    expect(existsSync(at("from"))).toBe(true);
    const making = { "x-request-id": newID() };
    for (const retry of TWICE) {
      const made = await send("POST", "/file/mkdir", { path: at("made") }, { ...making, ...retry });
      expect(made.status).toBe(200);
    }
    const refused = { "x-request-id": newID() };
    for (const retry of TWICE) {
      const answer = await send("POST", "/file/mkdir", { path: at("made") }, { ...refused, ...retry });
      expect(answer).toMatchObject({ status: 409, body: { code: "EEXIST" } });
    }
    const removing = { "x-request-id": newID() };
    const path = `/file?path=${encodeURIComponent(at("made"))}&recursive=true`;
    expect((await send("DELETE", path, undefined, removing)).status).toBe(200);
    await mkdir(at("made"));
    expect((await send("DELETE", path, undefined, { ...removing, "x-request-retry": "1" })).status).toBe(200);
    expect(existsSync(at("made"))).toBe(true);
  });

  it("does a batch once", async () => {
    const base64 = Buffer.from("b").toString("base64");
    const steps = ["b1", "b2"].map((name) => ({ op: "write", path: at(name), base64, ifMatch: "absent" }));
    const headers = { "x-request-id": newID() };
    const first = await send<BatchAnswer>("POST", "/file/batch", { steps }, headers);
    const again = await send<BatchAnswer>("POST", "/file/batch", { steps }, { ...headers, "x-request-retry": "1" });
    expect(first.body.results.map(({ ok }) => ok)).toEqual([true, true]);
    expect(first.headers.get("content-encoding")).toBe(again.headers.get("content-encoding"));
    expect(again.body).toEqual(first.body);
  });

  it("waits for the first where that is still under way", async () => {
    const headers = { "x-request-id": newID() };
    const text = "x".repeat(4 * 1024 * 1024);
    const all = await Promise.all(
      [...TWICE, ...TWICE].map((retry) => write("both", text, "absent", { ...headers, ...retry })),
    );
    expect(all.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  });

  it("is done where the first never arrived, and cannot be judged by another instance", async () => {
    const arrived = await write("late", "x", "absent", { "x-request-id": newID(), "x-request-retry": "1" });
    expect(arrived.status).toBe(200);
    const other = "0".repeat(bench.stub.instanceID.length);
    const strange = await write("late-2", "x", "absent", { "x-request-id": newID(other), "x-request-retry": "1" });
    expect(strange).toMatchObject({ status: 409, body: { code: "answer_lost" } });
    expect(existsSync(at("late-2"))).toBe(false);
    const first = await write("late-3", "x", "absent", { "x-request-id": newID(other) });
    expect(first.status).toBe(200);
  });

  it("is refused where its id is another request's, or no id", async () => {
    const headers = { "x-request-id": newID() };
    await write("one", "x", "absent", headers);
    expect(await write("two", "x", "absent", headers)).toMatchObject({
      status: 400,
      body: { code: "invalid_request" },
    });
    expect(await write("two", "x", "absent", { "x-request-id": "../x" })).toMatchObject({ status: 400 });
    expect(existsSync(at("two"))).toBe(false);
  });
});
