// Followers come, go and dawdle; the command does not care and the stub's memory stays bounded. Rows 33-35.
import { readFile, stat, writeFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { CommandRecord } from "../../protocol/command.js";
import { FrameType, frameReader } from "../../protocol/frames.js";
import { type CommandApp, collect, commandApp, commandRequest, json, run, send } from "../fixtures/command-app.js";
import { stubProcess } from "../fixtures/command-process.js";
import { cCompiler } from "../fixtures/helper-binary.js";
import { eventually } from "../fixtures/processes.js";

const compiler = await cCompiler();
const MB = 1024 * 1024;

/** Resident bytes of a process. */
async function resident(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/status`, "latin1");
  return Number(/VmRSS:\s+(\d+)/.exec(text)?.[1]) * 1024;
}

/** Highest resident size of the stub above that at the start, while `work` runs. */
async function growth(pid: number, work: () => Promise<void>): Promise<number> {
  const before = await resident(pid);
  let highest = before;
  const timer = setInterval(async () => {
    highest = Math.max(highest, await resident(pid));
  }, 5);
  await work();
  clearInterval(timer);
  return highest - before;
}

/** Counts the output of an answer without keeping it; checks its offsets. */
async function count(response: IncomingMessage) {
  let bytes = 0;
  let wrong = 0;
  let end: { output: { stdout: number }; exit: number | null } | undefined;
  const read = frameReader((frame) => {
    if (frame.type === FrameType.end) end = JSON.parse(Buffer.from(frame.payload).toString());
    if (frame.type !== FrameType.output) return;
    if (frame.offset !== bytes) wrong += 1;
    bytes += frame.payload.length;
  });
  for await (const chunk of response) read(chunk as Buffer);
  return { bytes, wrong, end };
}

/** The record says what the log holds; on a quick machine `yes` reaches the cap meanwhile. */
async function expectWhole(app: Pick<CommandApp, "folder">, record: CommandRecord): Promise<void> {
  const { size } = await stat(join(app.folder, "commands", `${record.commandID}.stdout`));
  expect(record.state).toBe("killed");
  if (record.output.dropped === undefined) return expect(record.output.stdout).toBe(size);
  expect(size).toBeLessThanOrEqual(256 * MB);
  expect(record.output.stdout).toBeGreaterThan(size);
}

const recordOf = async (app: Pick<CommandApp, "socket">, id: string) =>
  json<CommandRecord>(await send(app, "GET", `/command/${id}`));

describe.skipIf(compiler === undefined)("following a command (needs a C compiler)", () => {
  it("says the record first where the end does not leave with it, and the end alone where it does", async () => {
    await using app = await commandApp();
    const quick = await run(app, "true");
    expect([quick.first, quick.end?.state]).toEqual([undefined, "exited"]);
    // an end that is known when the answer begins leaves at once, however long the command took
    const again = await collect(await send(app, "GET", `/command/${quick.end?.commandID}/output?follow=1`));
    expect([again.first, again.end]).toEqual([undefined, quick.end]);
    const slow = await run(app, "sleep 0.3");
    expect([slow.first?.state, slow.end?.state]).toEqual(["running", "exited"]);
  });

  it("goes on when its client goes away, and its output waits", async () => {
    await using app = await commandApp();
    const gate = join(app.folder, "gate");
    const request = commandRequest(`echo before; until [ -e '${gate}' ]; do sleep 0.02; done; echo after`);
    const response = await send(app, "POST", "/command?follow=1", request);
    await new Promise((resolve) => response.once("data", resolve));
    response.destroy();
    await new Promise((resolve) => response.once("close", resolve));
    await writeFile(gate, "");
    const command = app.commands.get(request.commandID);
    expect(await command?.done).toMatchObject({ state: "exited", exit: 0, aborted: false });
    const replay = await collect(await send(app, "GET", `/command/${request.commandID}/output?follow=1`));
    expect(replay.stdout.toString()).toBe("before\nafter\n");
  });

  it("keeps 100 MB for a client that does not read, without holding it in memory or slowing the command", async () => {
    await using stub = await stubProcess();
    await collect(await send(stub, "POST", "/command?follow=1", commandRequest("head -c 1000000 /dev/zero"))); // warm
    const bytes = 100 * MB;
    const request = commandRequest(`head -c ${bytes} /dev/zero`);
    let counted: Awaited<ReturnType<typeof count>> | undefined;
    const grown = await growth(stub.pid, async () => {
      const response = await send(stub, "POST", "/command?follow=1", request);
      // nothing of the answer is read until the command has ended: a client that holds it up would wait here for ever
      const ended = await eventually("the end", async () => {
        const record = await recordOf(stub, request.commandID);
        return record.state === "running" ? undefined : record;
      });
      expect(ended).toMatchObject({ exit: 0, output: { stdout: bytes } });
      counted = await count(response);
    });
    expect(counted).toMatchObject({ bytes, wrong: 0, end: { exit: 0, output: { stdout: bytes } } });
    expect(grown).toBeLessThan(64 * MB);
  });

  it("stays small when output has no end and nobody listens", async () => {
    await using stub = await stubProcess();
    const request = commandRequest("yes");
    const response = await send(stub, "POST", "/command?follow=1", request);
    const grown = await growth(stub.pid, async () => {
      response.destroy();
      await eventually("50 MB", async () => (await recordOf(stub, request.commandID)).output.stdout > 50 * MB);
      await send(stub, "POST", `/command/${request.commandID}/cancel`);
      await eventually("the kill", async () => (await recordOf(stub, request.commandID)).survivors);
    });
    expect(grown).toBeLessThan(64 * MB);
    await expectWhole(stub, await recordOf(stub, request.commandID));
  });

  it("knows every byte of the log once the kill is confirmed, also what was printed between the answer and the kill", async () => {
    await using app = await commandApp({ graceMs: 300 });
    const request = commandRequest("trap '' TERM; echo up; exec yes");
    const response = await send(app, "POST", "/command?follow=1", request);
    await eventually("output", async () => (await recordOf(app, request.commandID)).output.stdout > 3);
    response.destroy();
    const answer = await json<CommandRecord>(await send(app, "POST", `/command/${request.commandID}/cancel`));
    expect(answer.survivors).toBeNull();
    expect(await eventually("the kill", async () => (await recordOf(app, request.commandID)).survivors)).toEqual([]);
    const record = await recordOf(app, request.commandID);
    expect(record.output.stdout).toBeGreaterThan(answer.output.stdout); // it printed on
    await expectWhole(app, record);
  });

  it("gives two followers of one command the same bytes, the late one too", async () => {
    await using app = await commandApp();
    const request = commandRequest("for i in 1 2 3 4 5 6 7 8; do head -c 50000 /dev/urandom; sleep 0.02; done");
    const first = send(app, "POST", "/command?follow=1", request).then(collect);
    await eventually("some output", () => (app.commands.get(request.commandID)?.record().output.stdout ?? 0) > 100_000);
    const second = await collect(await send(app, "POST", "/command?follow=1", request));
    const third = await collect(await send(app, "GET", `/command/${request.commandID}/output?follow=1`));
    expect((await first).stdout.length).toBe(400_000);
    expect(second.stdout.equals((await first).stdout)).toBe(true);
    expect(third.stdout.equals((await first).stdout)).toBe(true);
  });

  it("sends the head of a silent command soon, and the whole of a quick one in one piece", async () => {
    await using app = await commandApp({ graceMs: 200 });
    const quick = await send(app, "POST", "/command?follow=1", commandRequest("echo hi"));
    // a known length means: the answer was complete when its head left
    expect(Number(quick.headers["content-length"])).toBeGreaterThan(0);
    await collect(quick);
    const silent = await send(app, "POST", "/command?follow=1", commandRequest("sleep 600"));
    expect(silent.statusCode).toBe(200); // it came although nothing was printed and nothing has ended
    silent.destroy();
  });
});
