// What file requests changed for a message of OpenCode's is put back when the message is reverted, and made again.
import { chmod, mkdir, readdir, readFile, realpath, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newID } from "../../protocol/ids.js";
import { CHANGE_HEADER, type RevertAnswer, type RevertRequest } from "../../protocol/undo.js";
import type { Approval, Workspace } from "../../protocol/workspace.js";
import { fileFolder } from "../fixtures/file-folder.js";
import { openToWrite } from "../fixtures/undo-context.js";
import { eventually, type Workbench, workbench } from "../fixtures/workbench.js";

let bench: Workbench;
let installRoot: string;

beforeAll(async () => {
  installRoot = join(await realpath(await fileFolder("ocrs-undo-")), "root");
  bench = await workbench({ installRoot });
}, 60_000);
afterAll(() => bench?.stub.stop());

/** A session in a fresh workspace, whose messages change files. */
async function story() {
  const project = await bench.workspace();
  const sessionID = newID("ses");
  return { project, sessionID, ...changes(project, sessionID) };
}

function changes(project: Workspace & { directory: string }, sessionID: string) {
  const at = (name: string) => join(project.directory, name);
  const send = async (message: number, path: string, options: { method?: string; body?: unknown }, call = "call_1") => {
    const headers = { [CHANGE_HEADER]: `${sessionID}/${messageID(message)}/${encodeURIComponent(call)}` };
    const answer = await bench.send(path, { ...options, headers, workspace: project.id });
    expect(answer, path).toMatchObject({ status: 200 });
    return answer.body;
  };
  const post = async (path: string, body: object | undefined) => {
    const answer = await bench.send<RevertAnswer>(`/session/${sessionID}/${path}`, { method: "POST", body });
    expect(answer, path).toMatchObject({ status: 200 });
    return answer.body;
  };
  return {
    at,
    send,
    write: (message: number, name: string, text: string, call?: string) =>
      send(message, `/file/content?parents=true&path=${name}`, { method: "PUT", body: Buffer.from(text) }, call),
    revert: (message: number, more: Partial<RevertRequest> = {}) =>
      post("revert", { messageID: messageID(message), ...more }),
    unrevert: () => post("unrevert", undefined),
    text: (name: string) => readFile(at(name), "utf8"),
  };
}

function messageID(message: number): string {
  return `msg_00000000${message}`;
}

describe("a message that is reverted", () => {
  it("leaves files as they were before it: new, replaced, removed, moved, with modes, links and directories", async () => {
    const { at, send, write, revert, unrevert, text, project, sessionID } = await story();
    await writeFile(at("old"), "old\n");
    await chmod(at("old"), 0o750);
    await writeFile(at("gone"), "gone\n");
    await chmod(at("gone"), 0o640);
    await writeFile(at("moved"), "moved\n");
    await symlink("old", at("link"));
    await write(1, "first", "of the first message\n");
    await write(2, "old", "changed\n");
    await write(3, "old", "changed again\n");
    await write(3, "deep/er/new", "new\n");
    await send(3, "/file/batch", {
      body: {
        steps: [
          { op: "remove", path: "gone" },
          { op: "remove", path: "link" },
          { op: "move", from: "moved", to: "there/moved", parents: true },
        ],
      },
    });
    await chmod(at("deep/er/new"), 0o755);
    expect((await readdir(project.directory)).sort()).toEqual(["deep", "first", "old", "there"]);

    const reverted = await revert(2);
    expect(reverted.left).toEqual([]);
    expect(reverted.changed).toHaveLength(6);
    expect((await readdir(project.directory)).sort()).toEqual(["first", "gone", "link", "moved", "old"]);
    expect(await Promise.all(["old", "gone", "link", "moved"].map(text))).toEqual([
      "old\n",
      "gone\n",
      "old\n",
      "moved\n",
    ]);
    expect((await stat(at("old"))).mode & 0o777).toBe(0o750);
    expect((await stat(at("gone"))).mode & 0o777).toBe(0o640);
    expect(await revert(2)).toEqual({ changed: [], left: [] });

    // the redo of one message, then of the rest
    await revert(3);
    expect(await text("old")).toBe("changed\n");
    expect((await unrevert()).left).toEqual([]);
    expect((await readdir(project.directory)).sort()).toEqual(["deep", "first", "old", "there"]);
    expect([await text("old"), await text("deep/er/new"), await text("there/moved")]).toEqual([
      "changed again\n",
      "new\n",
      "moved\n",
    ]);
    expect((await stat(at("deep/er/new"))).mode & 0o777).toBe(0o755);
    expect(await unrevert()).toEqual({ changed: [], left: [] });

    const audit = (await bench.stub.fetch("/audit?limit=100").then((answer) => answer.text())).split("\n");
    expect(audit.filter((line) => line.includes('"revert"') && line.includes(sessionID))).toHaveLength(6 + 1 + 6);
    const kept = join(bench.stub.installRoot, "state/undo", sessionID);
    expect((await stat(kept)).mode & 0o777).toBe(0o700);
    expect((await stat(join(kept, `${messageID(2)}.json`))).mode & 0o777).toBe(0o600);
    await bench.send(`/session/${sessionID}`, { method: "DELETE" });
    await expect(stat(kept)).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("takes back single calls of it, and everything behind it", async () => {
    const { write, revert, unrevert, text } = await story();
    await write(1, "a", "1", "call_a");
    await write(1, "b", "1", "call/b:é");
    await write(2, "a", "2");
    await revert(1, { callIDs: ["call/b:é"] });
    expect(await text("a")).toBe("1");
    await expect(text("b")).rejects.toMatchObject({ code: "ENOENT" });
    await unrevert();
    expect([await text("a"), await text("b")]).toEqual(["2", "1"]);
  });

  it("leaves alone what somebody else changed since, and says so; neither is their file in a new directory lost", async () => {
    const { at, write, revert, unrevert, text } = await story();
    await writeFile(at("shared"), "before\n");
    await writeFile(at("mine"), "before\n");
    await write(1, "shared", "tool\n");
    await write(1, "mine", "tool\n");
    await write(1, "made/new", "tool\n");
    await writeFile(at("shared"), "somebody\n");
    await writeFile(at("made/theirs"), "theirs\n");
    const { changed, left } = await revert(1);
    expect(left).toEqual([{ path: at("shared"), reason: "conflict" }]);
    expect(changed.map(({ path }) => path).sort()).toEqual([at("made/new"), at("mine")]);
    expect([await text("shared"), await text("mine"), await text("made/theirs")]).toEqual([
      "somebody\n",
      "before\n",
      "theirs\n",
    ]);
    await writeFile(at("mine"), "somebody\n");
    expect((await unrevert()).left).toEqual([{ path: at("mine"), reason: "conflict" }]);
    expect([await text("shared"), await text("mine"), await text("made/new")]).toEqual([
      "somebody\n",
      "somebody\n",
      "tool\n",
    ]);
  });

  it("does nothing where it is not approved any more", async () => {
    const { project, at, write, revert, text } = await story();
    await writeFile(at("file"), "before\n");
    await write(1, "file", "tool\n");
    const path = `/experimental/workspace/${project.id}/approval`;
    const { body } = await bench.send<Approval[]>(path, { approver: bench.approver });
    for (const { id } of body) await bench.send(`${path}/${id}`, { method: "DELETE", approver: bench.approver });
    expect(await revert(1)).toEqual({ changed: [], left: [{ path: at("file"), reason: "not_approved" }] });
    expect(await text("file")).toBe("tool\n");
    expect(await bench.asks(project.id)).toEqual([]);
  });

  it("comes again only until the session goes on", async () => {
    const { write, revert, unrevert, text, sessionID } = await story();
    await write(1, "file", "one");
    await write(2, "file", "two");
    await revert(2);
    await write(3, "other", "three");
    expect(await unrevert()).toEqual({ changed: [], left: [] });
    expect(await text("file")).toBe("one");
    await revert(1);
    const forgotten = await bench.send(`/session/${sessionID}/revert?reverted=true`, { method: "DELETE" });
    expect(forgotten.body).toBe(true);
    expect(await unrevert()).toEqual({ changed: [], left: [] });
    await expect(text("file")).rejects.toMatchObject({ code: "ENOENT" });
    expect(await readdir(join(bench.stub.installRoot, "state/undo"))).not.toContain(sessionID);
  });
});

it("a change in the name of another workspace's session is made, and not kept", async () => {
  const { sessionID, write } = await story();
  await write(1, "file", "mine");
  const { project } = await story();
  const other = changes(project, sessionID);
  await other.write(2, "file", "theirs");
  expect(await other.text("file")).toBe("theirs");
  await other.revert(2);
  expect(await other.text("file")).toBe("theirs");
});

it("a stub that is killed while it puts files back finishes at the same request, and can make them again", {
  timeout: 60_000,
}, async () => {
  const { at, send, revert, unrevert, text } = await story();
  const names = Array.from({ length: 40 }, (_, index) => `file-${index}`);
  const rewrite = (round: string) =>
    send(1, "/file/batch", {
      body: {
        steps: names.map((path) => ({ op: "write", path, base64: Buffer.from(`${round} ${path}`).toString("base64") })),
      },
    });
  for (const name of names) await writeFile(at(name), `before ${name}`);
  await rewrite("tool");
  await rewrite("again");
  const words = async () => new Set((await Promise.all(names.map(text))).map((content) => content.split(" ")[0]));
  for (;;) {
    const broken = revert(1).then(
      () => "done",
      () => "killed",
    );
    await eventually(async () => ((await text(names[3] as string)).startsWith("before") ? true : undefined));
    bench.stub.process.kill("SIGSTOP");
    const isBetween = (await words()).size === 2;
    if (isBetween) bench.stub.process.kill("SIGKILL");
    bench.stub.process.kill("SIGCONT");
    expect(await broken).toBe(isBetween ? "killed" : "done");
    if (isBetween) break;
    // this machine was too busy to be quick enough
    await unrevert();
  }
  expect(await words()).toEqual(new Set(["again", "before"]));
  await bench.stub.stop();
  bench = await workbench({ installRoot });
  expect((await revert(1)).left).toEqual([]);
  expect(await words()).toEqual(new Set(["before"]));
  expect((await unrevert()).left).toEqual([]);
  expect(await words()).toEqual(new Set(["again"]));
});

it("what is kept has a limit: the sessions longest at rest go first, and what was let go is named", async () => {
  const folder = await fileFolder("ocrs-undo-");
  await mkdir(join(folder, "work"));
  const { undo, write, revert } = await openToWrite(folder, 100_000);
  await write("ses_00000001", "a", "x".repeat(40_000), "A");
  await write("ses_00000002", "b", "y".repeat(40_000), "B");
  await write("ses_00000003", "c", "z".repeat(40_000), "C");
  await write("ses_00000003", "d", "w".repeat(200_000), "D");
  expect(undo.isBusy).toBe(false);
  const left = async (sessionID: string) => (await revert(sessionID)).left.map(({ reason }) => reason);
  expect(await left("ses_00000001")).toEqual(["not_kept"]);
  expect(await left("ses_00000002")).toEqual([]);
  expect(await left("ses_00000003")).toEqual(["not_kept"]);
  const sizes = await Promise.all(
    ["a", "b", "c", "d"].map(async (name) => (await stat(join(folder, "work", name))).size),
  );
  expect(sizes).toEqual([1, 40_000, 40_000, 1]);
});
