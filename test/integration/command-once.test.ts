// The same commandID is the same command: it never runs twice, whoever repeats it, and whenever.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { collect, commandApp, commandRequest, json, send } from "../fixtures/command-app.js";
import { cCompiler } from "../fixtures/helper-binary.js";

const compiler = await cCompiler();

describe.skipIf(compiler === undefined)("a repeated request (needs a C compiler)", () => {
  it("gets the same command, one after the other and ten at once", async () => {
    let admitted = 0;
    await using app = await commandApp({
      admit: async () => {
        admitted += 1;
        return {};
      },
    });
    const counter = join(app.folder, "counter");
    const request = commandRequest(`echo ran >> ${counter}; echo out`);
    const start = () => send(app, "POST", "/command?follow=1", request).then(collect);
    const all = await Promise.all(Array.from({ length: 10 }, start));
    all.push(await start());
    for (const ran of all) {
      expect(ran.stdout.toString()).toBe("out\n");
      expect(ran.end).toMatchObject({ exit: 0 });
    }
    expect(await readFile(counter, "utf8")).toBe("ran\n");
    expect(admitted).toBeLessThanOrEqual(10); // the last one was not even asked about
  });

  it("is refused if anything of it is another", async () => {
    await using app = await commandApp();
    const request = commandRequest({ command: "true", env: { A: "1" } });
    await collect(await send(app, "POST", "/command?follow=1", request));
    const others = [{ command: "false" }, { env: { A: "2" } }, { env: {} }, { cwd: "/" }, { timeoutMs: 5 }];
    for (const other of others) {
      const answer = await send(app, "POST", "/command", { ...request, ...other });
      expect([answer.statusCode, await json(answer)]).toMatchObject([409, { code: "command_conflict" }]);
    }
    const same = await send(app, "POST", "/command", { ...request, onAsk: "fail" });
    expect(same.statusCode).toBe(200); // how an ask is answered is no part of what runs
  });

  it("does not run again after a restart of the stub, and its output is still there", async () => {
    await using first = await commandApp();
    const counter = join(first.folder, "counter");
    const request = commandRequest(`echo ran >> ${counter}; echo out; echo err >&2; exit 9`);
    const before = await collect(await send(first, "POST", "/command?follow=1", request));
    await using second = await commandApp({ folder: first.folder });
    const record = await json<object>(await send(second, "GET", `/command/${request.commandID}`));
    expect(record).toEqual(before.end);
    const again = await collect(await send(second, "POST", "/command?follow=1", request));
    expect([again.stdout.toString(), again.stderr.toString()]).toEqual(["out\n", "err\n"]);
    expect(again.end).toMatchObject({ state: "exited", exit: 9 });
    expect(await readFile(counter, "utf8")).toBe("ran\n");
  });

  it("does not run twice even when two stubs are asked in the same moment", async () => {
    await using first = await commandApp();
    await using second = await commandApp({ folder: first.folder });
    const counter = join(first.folder, "counter");
    for (let round = 0; round < 10; round++) {
      const request = commandRequest(`echo ${round} >> ${counter}`);
      const spec = {
        ...request,
        workspaceID: "wrk_00000000",
        cwd: first.folder,
        title: "x",
        enforcement: { level: "static" as const, ask: false, landlockAbi: 0, gaps: [] },
      };
      const records = await Promise.all(
        [first, second].map(async (app) => {
          const command = app.commands.start(spec);
          await command.started;
          return command.done;
        }),
      );
      for (const record of records) expect(record).toMatchObject({ state: "exited", exit: 0 });
    }
    const rounds = Array.from({ length: 10 }, (_, round) => `${round}\n`).join("");
    expect(await readFile(counter, "utf8")).toBe(rounds);
  });

  it("keeps few ended commands in memory and finds the others on disk", async () => {
    await using app = await commandApp({ keep: 3 });
    const ids: string[] = [];
    for (let i = 0; i < 8; i++) {
      const request = commandRequest(`exit ${i}`);
      ids.push(request.commandID);
      await collect(await send(app, "POST", "/command?follow=1", request));
      await app.commands.get(request.commandID)?.settled;
    }
    expect(app.commands.list().length).toBeLessThanOrEqual(3);
    for (const [i, id] of ids.entries()) {
      expect(await json(await send(app, "GET", `/command/${id}`))).toMatchObject({ state: "exited", exit: i });
    }
  });
});
