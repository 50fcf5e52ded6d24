// Writing to a running command: in order, once each, at its own pace, and across the death of the stub.
import { createHash, randomBytes } from "node:crypto";
import { readdir, stat, writeFile } from "node:fs/promises";
import { Agent, type IncomingMessage } from "node:http";
import { join } from "node:path";
import fc from "fast-check";
import { expect, it } from "vitest";
import type { CommandRequest } from "../../protocol/command.js";
import {
  body,
  type CommandApp,
  collect,
  commandApp,
  commandRequest,
  json,
  run,
  send,
  sendBytes,
} from "../fixtures/command-app.js";
import { stubProcess } from "../fixtures/command-process.js";
import { describeCommandsAtLevels } from "../fixtures/describe-commands.js";
import { helperOf } from "../fixtures/helper-process.js";
import { eventually, killIfAlive } from "../fixtures/processes.js";

const MB = 1024 * 1024;

const answerOf = async (response: IncomingMessage) => [response.statusCode, await json<object>(response)];

describeCommandsAtLevels("the stdin of a command", { graceMs: 300 }, (app) => {
  const start = async (command: string, at: Pick<CommandApp, "socket"> = app): Promise<CommandRequest> => {
    const request = commandRequest({ command, stdin: "pipe" });
    await json(await send(at, "POST", "/command", request));
    return request;
  };
  const write = async (id: string, query: string, text: string | Uint8Array, at: Pick<CommandApp, "socket"> = app) =>
    answerOf(await sendBytes(at, `/command/${id}/stdin${query}`, Buffer.from(text)));
  const outputOf = async (id: string, at: Pick<CommandApp, "socket"> = app) =>
    (await body(await send(at, "GET", `/command/${id}/output`))).toString();

  it("is given what is written, in order, until its end", async () => {
    const { commandID } = await start("cat; echo over");
    expect(await write(commandID, "", "one\n")).toEqual([200, { offset: 4, closed: false }]);
    expect(await write(commandID, "?offset=4", "two\n")).toEqual([200, { offset: 8, closed: false }]);
    await eventually("the echo", async () => (await outputOf(commandID)) === "one\ntwo\n");
    expect(await write(commandID, "?offset=8&end=1", "three\n")).toEqual([200, { offset: 14, closed: true }]);
    const settled = await app.commands.get(commandID)?.settled;
    expect(settled).toMatchObject({ state: "exited", exit: 0 });
    expect(await outputOf(commandID)).toBe("one\ntwo\nthree\nover\n");
    expect((await readdir(join(app.folder, "commands"))).filter((name) => name.endsWith(".stdin"))).toEqual([]);
  });

  it("takes nothing twice that is sent again, whole or in part, and nothing behind a gap", async () => {
    const { commandID } = await start("cat");
    await write(commandID, "?offset=0", "abcdef");
    expect(await write(commandID, "?offset=0", "abcdef")).toEqual([200, { offset: 6, closed: false }]);
    expect(await write(commandID, "?offset=4", "efgh")).toEqual([200, { offset: 8, closed: false }]);
    expect(await write(commandID, "?offset=9", "x")).toMatchObject([
      409,
      { code: "stdin_gap", details: { offset: 8 } },
    ]);
    expect(await write(commandID, "", "")).toEqual([200, { offset: 8, closed: false }]); // where it stands
    await write(commandID, "?end=1", "");
    await app.commands.get(commandID)?.settled;
    expect(await outputOf(commandID)).toBe("abcdefgh");
  });

  it("takes the same end again, and refuses bytes behind it", async () => {
    const { commandID } = await start("cat; until [ -e gate ]; do sleep 0.02; done");
    expect(await write(commandID, "?offset=0&end=1", "abc")).toEqual([200, { offset: 3, closed: true }]);
    expect(await write(commandID, "?offset=0&end=1", "abc")).toEqual([200, { offset: 3, closed: true }]);
    expect(await write(commandID, "?offset=3", "d")).toMatchObject([
      409,
      { code: "stdin_closed", details: { offset: 3 } },
    ]);
    await writeFile(join(app.folder, "gate"), "");
    await app.commands.get(commandID)?.settled;
  });

  it("is the command's pace: a writer waits for it, holds nobody up, and may leave in between", async () => {
    const bytes = randomBytes(8 * MB);
    const gate = join(app.folder, "read");
    const { commandID } = await start(`until [ -e '${gate}' ]; do sleep 0.02; done; sha256sum`);
    const leaving = new AbortController();
    const first = sendBytes(app, `/command/${commandID}/stdin?offset=0`, bytes, { signal: leaving.signal });
    first.catch(() => undefined);
    const path = join(app.folder, "commands");
    await eventually("the socket", async () => (await readdir(path)).includes(`${commandID}.stdin`));
    expect((await run(app, "echo meanwhile")).stdout.toString()).toBe("meanwhile\n");
    leaving.abort(); // nobody reads: it cannot have been taken as a whole
    await expect(first).rejects.toThrow();
    // the stub may not have noticed that it left: whoever comes next takes over all the same
    const [, where] = (await write(commandID, "", "")) as [number, { offset: number }];
    expect(where.offset).toBeLessThan(bytes.length);
    await writeFile(gate, "");
    expect(await write(commandID, "?offset=0&end=1", bytes)).toEqual([200, { offset: bytes.length, closed: true }]);
    await app.commands.get(commandID)?.settled;
    const sum = createHash("sha256").update(bytes).digest("hex");
    expect(await outputOf(commandID)).toBe(`${sum}  -\n`);
  });

  it("says that it is closed, and after how much, when the command reads no more or has ended", async () => {
    const gate = join(app.folder, "end");
    const closed = join(app.folder, "closed");
    const { commandID } = await start(`exec <&-; : > '${closed}'; until [ -e '${gate}' ]; do sleep 0.02; done`);
    await eventually("that it is closed", () => stat(closed).catch(() => undefined));
    // Where commands have a pid namespace its first process held the pipe, too, and may not have let go of it yet.
    await eventually("that nothing is taken", async () => (await write(commandID, "", "x"))[0] !== 200);
    expect(await write(commandID, "", "x")).toMatchObject([409, { code: "stdin_closed" }]);
    await writeFile(gate, "");
    await app.commands.get(commandID)?.settled;
    expect(await write(commandID, "", "x")).toMatchObject([409, { code: "stdin_closed" }]);
  });

  it("leaves the connection usable where it was refused with most of it on its way", async () => {
    const { commandID } = await start("head -c 3; exec <&-; sleep 600");
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    try {
      for (let count = 0; count < 3; count++) {
        const refused = await sendBytes(app, `/command/${commandID}/stdin?offset=0`, randomBytes(4 * MB), { agent });
        expect(await answerOf(refused)).toMatchObject([409, { code: "stdin_closed" }]);
      }
    } finally {
      agent.destroy();
      app.commands.get(commandID)?.cancel("abort");
    }
  });

  it("tells a writer that another one took over", async () => {
    const { commandID } = await start("head -c 1 | wc -c; sleep 600");
    const first = write(commandID, "?offset=0", randomBytes(MB));
    await eventually("its first byte", async () => (await outputOf(commandID)) === "1\n");
    expect(await write(commandID, "", "")).toMatchObject([200, { offset: expect.any(Number) }]);
    expect(await first).toMatchObject([409, { code: "stdin_superseded", details: { offset: expect.any(Number) } }]);
    app.commands.get(commandID)?.cancel("abort");
  });

  it("never tells a writer that was overtaken that stdin is closed, in whatever moment that comes", async () => {
    const { commandID } = await start("cat >/dev/null");
    const bytes = Buffer.alloc(2 * MB);
    const told = new Set<unknown>();
    for (let round = 0; round < 10; round++) {
      const answers = await Promise.all(
        Array.from({ length: 8 }, () => write(commandID, `?offset=${round * bytes.length}`, bytes)),
      );
      for (const [status, answer] of answers) told.add(status === 200 ? 200 : (answer as { code: string }).code);
      // whoever came last did it
      expect(await write(commandID, "", "")).toMatchObject([200, { offset: (round + 1) * bytes.length }]);
    }
    expect([...told].sort()).toEqual([200, "stdin_superseded"]);
    await write(commandID, "?end=1", "");
  });

  it("is empty without being asked for, and says so to who writes", async () => {
    const ran = await run(app, "cat; readlink /proc/self/fd/0");
    expect(ran.stdout.toString()).toBe("/dev/null\n");
    expect(await write(ran.end?.commandID ?? "", "", "x")).toMatchObject([409, { code: "stdin_none" }]);
    expect(await write("cmd_00000000unknown", "", "x")).toMatchObject([404, { code: "command_unknown" }]);
  });

  it("belongs to what makes a request the same one", async () => {
    const request = await start("cat");
    const { stdin, ...without } = request;
    expect((await send(app, "POST", "/command", without)).statusCode).toBe(409);
    expect((await send(app, "POST", "/command", { ...without, stdin })).statusCode).toBe(200);
    await write(request.commandID, "?end=1", "");
  });

  it("goes on after the stub was killed, where it was", async () => {
    const stub = await stubProcess();
    const { commandID } = await start("cat", stub);
    await write(commandID, "?offset=0", "before ", stub);
    await stub.kill();
    {
      await using next = await commandApp({ folder: stub.folder });
      expect(await write(commandID, "?offset=0", "before after", next)).toEqual([200, { offset: 12, closed: false }]);
      await write(commandID, "?offset=12&end=1", "", next);
      expect(await next.commands.get(commandID)?.settled).toMatchObject({ state: "exited", exit: 0 });
      expect(await outputOf(commandID, next)).toBe("before after");
    }
    await stub[Symbol.asyncDispose]();
  });

  it("ends with its helper", async () => {
    const { commandID } = await start("cat");
    await killIfAlive(await helperOf(app, commandID));
    await app.commands.get(commandID)?.settled;
    expect(await write(commandID, "", "x")).toMatchObject([409, { code: "stdin_closed" }]);
  });

  it("is the same bytes however they are cut up and repeated (property)", async () => {
    const cuts = fc.array(fc.tuple(fc.integer({ min: 0, max: 200_000 }), fc.integer({ min: 0, max: 50_000 })), {
      maxLength: 6,
    });
    await fc.assert(
      fc.asyncProperty(cuts, async (pieces) => {
        const all = randomBytes(pieces.reduce((sum, [size]) => sum + size, 0));
        const { commandID } = await start("sha256sum");
        let at = 0;
        for (const [size, again] of pieces) {
          const from = Math.max(0, at - again);
          at += size;
          const [status, answer] = await write(commandID, `?offset=${from}`, all.subarray(from, at));
          expect([status, answer]).toEqual([200, { offset: at, closed: false }]);
        }
        await write(commandID, `?offset=${at}&end=1`, "");
        await app.commands.get(commandID)?.settled;
        expect(await outputOf(commandID)).toBe(`${createHash("sha256").update(all).digest("hex")}  -\n`);
      }),
      { numRuns: 15 },
    );
  });

  it("is no way for others of the machine to write: its socket lies in a directory of ours alone", async () => {
    const request = await start("cat");
    const ran = await run(app, `stat -c %a ${join(app.folder, "commands")}`);
    expect(ran.stdout.toString()).toBe("700\n");
    await write(request.commandID, "?end=1", "");
    await collect(await send(app, "GET", `/command/${request.commandID}/output?follow=1`));
  });
});
