// Ended commands on the disk: listed, paged, kept within limits, and nobody's burden at the start of a stub.
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { CommandRecord } from "../../protocol/command.js";
import { newID } from "../../protocol/ids.js";
import type { EndedCommand } from "../../stub/commands/ended-index.js";
import { type CommandApp, collect, commandApp, commandRequest, json, run, send } from "../fixtures/command-app.js";
import { cCompiler } from "../fixtures/helper-binary.js";
import { eventually } from "../fixtures/processes.js";
import { workbench } from "../fixtures/workbench.js";

const compiler = await cCompiler();

const filesOf = async (app: Pick<CommandApp, "folder">, id: string) =>
  (await readdir(join(app.folder, "commands"))).filter((name) => name.startsWith(id)).sort();

async function ended(app: CommandApp, text: string, extra: object = {}): Promise<string> {
  const ran = await run(app, { command: text, ...extra });
  const id = ran.end?.commandID ?? "";
  await app.commands.get(id)?.settled;
  return id;
}

describe.skipIf(compiler === undefined)("ended commands (needs a C compiler)", () => {
  it("cost the start of a stub nothing: of ten thousand that are listed not one record is read", async () => {
    const folder = await mkdtemp(join(tmpdir(), "ocrs-many-"));
    const directory = join(folder, "commands");
    await mkdir(directory);
    const entries: EndedCommand[] = Array.from({ length: 10_000 }, (_, i) => ({
      commandID: newID("cmd"),
      sessionID: "ses_00000000",
      workspaceID: "wrk_00000000",
      state: "exited",
      created: Date.now() - i,
      ended: Date.now() - i,
      bytes: 4096,
    }));
    // a trap: whoever reads one of these finds that it is no record, and says so in the log
    for (const { commandID } of entries) await writeFile(join(directory, `${commandID}.run`), "trap\n");
    await writeFile(join(directory, "ended.jsonl"), entries.map((entry) => `${JSON.stringify(entry)}\n`).join(""));
    const unlisted = newID("cmd");
    await writeFile(join(directory, `${unlisted}.run`), "trap\n");
    {
      await using app = await commandApp({ folder });
      expect((await run(app, "echo at once")).stdout.toString()).toBe("at once\n");
      await app.commands.adopted;
      expect(app.warnings).toMatchObject([{ commandID: unlisted }]); // the one that is not in the list was read
      for (const { commandID } of entries.slice(0, 10)) expect(app.commands.has(commandID)).toBe(true);
    }
    await rm(folder, { recursive: true, maxRetries: 10, retryDelay: 100 });
  }, 60_000);

  it("are listed newest first, in pages, by workspace, session and state, across a restart", async () => {
    await using app = await commandApp({ keep: 2 });
    const ids: string[] = [];
    for (let i = 0; i < 5; i++) ids.unshift(await ended(app, `exit ${i}`, { sessionID: `ses_0000000${i % 2}` }));
    const running = commandRequest("sleep 600");
    await json(await send(app, "POST", "/command", running));
    ids.unshift(running.commandID);
    const check = async (at: Pick<CommandApp, "socket">) => {
      const list = async (query: string) =>
        (await json<CommandRecord[]>(await send(at, "GET", `/command${query}`))).map(({ commandID }) => commandID);
      expect(await list("")).toEqual(ids);
      expect(await list("?limit=2")).toEqual(ids.slice(0, 2));
      expect(await list(`?limit=3&before=${ids[1]}`)).toEqual(ids.slice(2, 5));
      expect(await list(`?before=${ids[5]}`)).toEqual([]);
      expect(await list("?state=running")).toEqual([ids[0]]);
      expect(await list("?session=ses_00000001")).toEqual([ids[2], ids[4]]);
      expect(await list("?workspace=wrk_11111111")).toEqual([]);
    };
    await check(app);
    await using next = await commandApp({ folder: app.folder, keep: 2 });
    await check(next);
    const [last] = await json<CommandRecord[]>(await send(next, "GET", "/command?state=exited&limit=1"));
    expect(last).toMatchObject({ commandID: ids[1], exit: 4 });
    expect((await send(next, "GET", "/command?limit=100000")).statusCode).toBe(400);
    app.commands.get(running.commandID)?.cancel("abort");
    await app.commands.get(running.commandID)?.settled;
  });

  it("are listed to their own installation only", async () => {
    await using bench = await workbench();
    const { id: workspaceID } = await bench.workspace();
    const body = { commandID: newID("cmd"), sessionID: newID("ses"), workspaceID, command: "true" };
    expect((await bench.send("/command", { body, approver: bench.approver })).status).toBe(200);
    const own = await bench.send<CommandRecord[]>("/command", { approver: bench.approver });
    expect(own.body.map(({ commandID }) => commandID)).toEqual([body.commandID]);
    const other = await (await bench.stub.registerApprover()).secret();
    expect((await bench.send<CommandRecord[]>("/command", { approver: other })).body).toEqual([]);
  });

  it("are deleted oldest first beyond the limit, never one that runs or is read, and are then unknown", async () => {
    await using app = await commandApp({ retention: { count: 3 }, sweepMs: 50, keep: 1 });
    const running = commandRequest("echo up; sleep 600");
    await json(await send(app, "POST", "/command", running));
    const ids: string[] = [];
    for (let i = 0; i < 6; i++) ids.push(await ended(app, `echo ${i}; echo e >&2`));
    await eventually("the deletion", async () => (await filesOf(app, ids[2] ?? "")).length === 0);
    for (const id of ids.slice(0, 3)) {
      expect(await filesOf(app, id)).toEqual([]);
      expect(await json(await send(app, "GET", `/command/${id}`))).toMatchObject({ code: "command_unknown" });
    }
    for (const [i, id] of ids.entries()) {
      if (i < 3) continue;
      expect(await filesOf(app, id)).toEqual([`${id}.run`, `${id}.stderr`, `${id}.stdout`]);
      const replay = await collect(await send(app, "GET", `/command/${id}/output?follow=1`));
      expect(replay.stdout.toString()).toBe(`${i}\n`);
    }
    expect(await filesOf(app, running.commandID)).toHaveLength(2);
    app.commands.get(running.commandID)?.cancel("abort");
  });

  it("are read again, by the next stub too, without being told to end once more", async () => {
    await using app = await commandApp({ keep: 1 });
    const ids = [await ended(app, "echo a"), await ended(app, "kill $$"), await ended(app, "echo c")];
    const told = (each: CommandApp) => each.events.map(({ type }) => type);
    const before = told(app);
    for (const id of ids) await send(app, "GET", `/command/${id}`).then(json);
    await send(app, "GET", "/command").then(json);
    expect(told(app)).toEqual(before);
    await app.commands.close();
    await using next = await commandApp({ folder: app.folder });
    await next.commands.adopted;
    for (const id of ids) await send(next, "GET", `/command/${id}`).then(json);
    expect(told(next)).toEqual([]);
  });

  it("are found again where the list is lost or torn, and what a broken deletion left is removed", async () => {
    await using app = await commandApp();
    const ids = [await ended(app, "echo a"), await ended(app, "echo b")];
    await app.commands.close();
    const list = join(app.folder, "commands/ended.jsonl");
    const text = await readFile(list, "utf8");
    expect(text.trim().split("\n")).toHaveLength(2);
    await writeFile(list, text.slice(0, -20));
    const orphan = join(app.folder, "commands", "cmd_0rphan000.stdout");
    await writeFile(orphan, "left");
    await using next = await commandApp({ folder: app.folder });
    const found = await json<CommandRecord[]>(await send(next, "GET", "/command"));
    expect(found.map(({ commandID }) => commandID).sort()).toEqual([...ids].sort());
    await next.commands.close();
    const again = (await readFile(list, "utf8")).split("\n").filter((line) => line.endsWith("}"));
    expect(again).toHaveLength(2);
    expect(await filesOf(next, "cmd_0rphan000")).toEqual([]);
  });
});
