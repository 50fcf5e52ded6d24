// An upgrade under way: the newer stub takes over while commands run and clients are connected; nothing is lost, nothing doubled.
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, realpath, rm } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { CommandRecord } from "../../protocol/command.js";
import { FrameType, frameReader } from "../../protocol/frames.js";
import { newID } from "../../protocol/ids.js";
import type { StubJson } from "../../protocol/install.js";
import type { Ask } from "../../protocol/permission.js";
import { type StubFixture, startStub } from "../fixtures/stub.js";
import { describe } from "../fixtures/with-compiler.js";
import { eventually, type Workbench, workbench } from "../fixtures/workbench.js";

let folder: string;
let root: string;
let old: Workbench;
const started: StubFixture[] = [];
beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "ocrs-upgrade-")));
  root = join(folder, "root");
  old = await workbench({ installRoot: root, version: "0.1.0" });
  started.push(old.stub);
});
afterEach(async () => {
  for (const stub of started.splice(0)) await stub.stop("SIGKILL");
  await rm(folder, { recursive: true, force: true });
});

async function takeOver(version = "0.2.0", from = old.stub): Promise<StubFixture> {
  const stub = await startStub({ installRoot: root, version, args: ["--take-over", from.instanceID] });
  started.push(stub);
  return stub;
}

const announced = async () => JSON.parse(await readFile(join(root, "run/stub.json"), "utf8")) as StubJson;

interface Seen {
  bytes: Buffer;
  ends: CommandRecord[];
}

/** Reads frames until the stream ends, or breaks. */
async function read(stub: StubFixture, path: string, seen: Seen, body?: object): Promise<void> {
  const answer = await stub.fetch(path, body === undefined ? {} : { body });
  expect(answer.status).toBe(200);
  const feed = frameReader(({ type, offset, payload }) => {
    if (type === FrameType.output) {
      expect(offset).toBe(seen.bytes.length);
      seen.bytes = Buffer.concat([seen.bytes, payload]);
    }
    if (type === FrameType.end) seen.ends.push(JSON.parse(Buffer.from(payload).toString()));
  });
  try {
    for await (const chunk of answer.body ?? []) feed(chunk as Uint8Array);
  } catch (error) {
    // The old stub ended under it.
    expect(error).toBeInstanceOf(TypeError);
  }
}

describe("a newer stub that takes over", () => {
  it("finds commands, sessions, asks and workspaces; a command that prints goes on, byte-exact, with one end", async () => {
    const workspace = await old.workspace();
    const sessionID = newID("ses");
    const lines = 300;
    const command = {
      commandID: newID("cmd"),
      sessionID,
      workspaceID: workspace.id,
      command: `i=0; while [ $i -lt ${lines} ]; do echo "line $i"; i=$((i+1)); sleep 0.05; done`,
    };
    const seen: Seen = { bytes: Buffer.alloc(0), ends: [] };
    const following = read(old.stub, "/command?follow=1", seen, command);
    await eventually(async () => (seen.bytes.length > 50 ? true : undefined));
    await mkdir(join(folder, "asked"));
    const waiting = old.send(`/file/stat?path=${folder}/asked&onAsk=wait`, { workspace: workspace.id });
    const ask = await eventually(async () => (await old.asks(workspace.id))[0]);
    const events = await old.stub.fetch("/global/event");
    const before = await announced();

    const stub = await takeOver();

    expect(await announced()).toMatchObject({ instanceID: stub.instanceID, socket: before.socket, version: "0.2.0" });
    // Who waited is told to come again, who listened is told why the stream ends, and nothing is changed any more by the old one.
    expect(await waiting).toMatchObject({ status: 503, body: { code: "stub_draining" } });
    expect(await events.text()).toContain('"stub.draining"');
    const refused = await old.send("/session", { body: { workspaceID: workspace.id } });
    expect(refused).toMatchObject({ status: 503, body: { code: "stub_draining" } });
    expect(refused.headers.get("connection")).toBe("close");

    expect(((await (await stub.fetch("/permission")).json()) as Ask[]).map(({ id }) => id)).toEqual([ask.id]);
    expect(await (await stub.fetch(`/session/${sessionID}`)).json()).toMatchObject({ workspaceID: workspace.id });
    expect((await stub.fetch("/file?path=.", { workspace: workspace.id })).status).toBe(200);

    if (old.stub.process.exitCode === null) await once(old.stub.process, "exit");
    expect(await announced()).toMatchObject({ instanceID: stub.instanceID });
    await following;
    expect([seen.ends.length, seen.bytes.length > 50]).toEqual([0, true]);
    const { length } = seen.bytes;
    await read(stub, `/command/${command.commandID}/output?follow=1&stdout=${length}&stderr=0`, seen);
    const expected = Array.from({ length: lines }, (_, index) => `line ${index}\n`).join("");
    expect(seen.bytes.toString()).toBe(expected);
    expect(seen.ends).toMatchObject([{ state: "exited", exit: 0 }]);
    const audit = (await readFile(join(root, "log/audit.log"), "utf8"))
      .split("\n")
      .filter((line) => line.includes(command.commandID));
    expect(audit.map((line) => JSON.parse(line).event)).toEqual(["command", "exit"]);
  }, 90_000);

  it("is one of two that try at once; the other finds it, and the old one ends", async () => {
    const all = await Promise.all([takeOver("0.2.0"), takeOver("0.2.0")]);
    const said = all.map((stub) => JSON.parse(stub.output().stdout.split("\n")[0] ?? "") as { status: string });
    expect(said.map(({ status }) => status).sort()).toEqual(["running", "started"]);
    expect(new Set(all.map(({ instanceID }) => instanceID)).size).toBe(1);
    if (old.stub.process.exitCode === null) await once(old.stub.process, "exit");
    expect(old.stub.process.exitCode).toBe(0);
  }, 60_000);

  it("leaves a newer one where it is: nothing is ever downgraded", async () => {
    const newer = await takeOver("0.10.0");
    const older = await takeOver("0.9.0", newer);
    expect(JSON.parse(older.output().stdout)).toMatchObject({ status: "running", instanceID: newer.instanceID });
    expect((await newer.fetch("/session")).status).toBe(200);
  }, 60_000);

  it("that does not come up changes nothing: who wanted something meanwhile has waited, and gets it", async () => {
    const workspace = await old.workspace();
    const dying = request({
      socketPath: old.stub.socket,
      method: "POST",
      path: "/stub/handover",
      headers: { authorization: `Bearer ${old.stub.token}`, host: "stub", "content-type": "application/json" },
    });
    dying.on("error", () => undefined);
    dying.end(JSON.stringify({ version: "0.2.0", protocol: { major: 1, minor: 0 } }));
    await once(dying, "response");
    let answered = false;
    const creating = old.send("/session", { body: { workspaceID: workspace.id } }).then((answer) => {
      answered = true;
      return answer;
    });
    // What only looks is answered all the time.
    for (let times = 0; times < 3; times += 1) expect((await old.send("/session")).status).toBe(200);
    await pause(100);
    expect(answered).toBe(false);
    dying.destroy();
    expect((await creating).status).toBe(200);
    const stub = await takeOver();
    expect(((await (await stub.fetch("/session")).json()) as unknown[]).length).toBe(1);
  }, 60_000);
});
