// What dies and what does not: the stub, the spawner, a helper, each with SIGKILL. Row 34's other half: nothing is lost.
import { readFile, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { CommandRecord } from "../../protocol/command.js";
import { parseRun } from "../../stub/commands/files.js";
import { collect, commandApp, commandRequest, json, run, send } from "../fixtures/command-app.js";
import { stubProcess } from "../fixtures/command-process.js";
import { cCompiler } from "../fixtures/helper-binary.js";
import { helperOf } from "../fixtures/helper-process.js";
import { eventually, killIfAlive, processName } from "../fixtures/processes.js";

const compiler = await cCompiler();
/** pid of the parent, field 4 of /proc/PID/stat. */
async function parentOf(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, "latin1");
  return Number(text.slice(text.lastIndexOf(")") + 2).split(" ")[1]);
}

describe.skipIf(compiler === undefined)("death on the host (needs a C compiler)", () => {
  it("of the stub: the command goes on, log and end record are complete, the next stub tells it all", async () => {
    await using stub = await stubProcess();
    const { folder } = stub;
    const gate = join(folder, "gate");
    const text = `echo before; until [ -e '${gate}' ]; do sleep 0.02; done; head -c 3000000 /dev/zero; echo after >&2; exit 6`;
    const request = commandRequest(text);
    const response = await send(stub, "POST", "/command?follow=1", request);
    response.on("error", () => undefined);
    await new Promise((resolve) => response.once("data", resolve));
    await stub.kill();
    await writeFile(gate, "");
    const end = await eventually(
      "the end record",
      async () => parseRun(await readFile(join(folder, "commands", `${request.commandID}.run`), "utf8")).end,
    );
    expect(end).toMatchObject({ status: 6 << 8, flags: 0, stdout: 3_000_007, stderr: 6 });

    await using next = await commandApp({ folder });
    const found = await collect(await send(next, "GET", `/command/${request.commandID}/output?follow=1`));
    expect(found.end).toMatchObject({ state: "exited", exit: 6, output: { stdout: 3_000_007, stderr: 6 } });
    expect(found.stdout.subarray(0, 7).toString()).toBe("before\n");
    expect(found.stdout.length).toBe(3_000_007);
  });

  it("of the stub: the next one follows what still runs, and can end it", async () => {
    await using stub = await stubProcess();
    const { folder } = stub;
    const gate = join(folder, "gate");
    const running = commandRequest(`echo one; until [ -e '${gate}' ]; do sleep 0.02; done; echo two`);
    const endless = commandRequest("trap '' TERM; while :; do sleep 0.1; done");
    for (const request of [running, endless]) await json(await send(stub, "POST", "/command", request));
    await stub.kill();

    await using next = await commandApp({ folder });
    await next.commands.adopted;
    expect(next.commands.running()).toBe(2);
    expect(await json(await send(next, "GET", `/command/${running.commandID}`))).toMatchObject({ state: "running" });
    const following = send(next, "GET", `/command/${running.commandID}/output?follow=1`).then(collect);
    await writeFile(gate, "");
    const ran = await following;
    expect([ran.stdout.toString(), ran.end?.state, ran.end?.exit]).toEqual(["one\ntwo\n", "exited", 0]);
    const cancelled = await json(await send(next, "POST", `/command/${endless.commandID}/cancel`));
    expect(cancelled).toMatchObject({ state: "killed", aborted: true });
    const settled = await next.commands.get(endless.commandID)?.settled;
    expect(settled).toMatchObject({ state: "killed", signal: "SIGKILL", survivors: [] });
  });

  it("of the spawner: commands go on and still report, and the next command has a new spawner", async () => {
    await using app = await commandApp();
    const gate = join(app.folder, "gate");
    const request = commandRequest(`echo one; until [ -e '${gate}' ]; do sleep 0.02; done; echo two`);
    const following = send(app, "POST", "/command?follow=1", request).then(collect);
    const helper = await helperOf(app, request.commandID);
    const spawner = await processName(await parentOf(helper.pid));
    await killIfAlive(spawner);
    await eventually("the log line", () => app.warnings.length > 0);
    await writeFile(gate, "");
    const ran = await following;
    expect([ran.stdout.toString(), ran.end?.exit]).toEqual(["one\ntwo\n", 0]);
    const later = await eventually("a new spawner", async () => {
      const next = await run(app, "echo $PPID");
      return next.status === 200 ? next : undefined;
    });
    expect(later.end).toMatchObject({ exit: 0 });
  });

  it("of the spawner: a command of it can still be ended", async () => {
    await using app = await commandApp({ graceMs: 300 });
    const request = commandRequest("trap '' TERM; while :; do sleep 0.1; done");
    await json(await send(app, "POST", "/command", request));
    const helper = await helperOf(app, request.commandID);
    await killIfAlive(await processName(await parentOf(helper.pid)));
    await eventually("the log line", () => app.warnings.length > 0);
    app.commands.get(request.commandID)?.cancel("abort");
    expect(await app.commands.get(request.commandID)?.settled).toMatchObject({ signal: "SIGKILL", survivors: [] });
  });

  it("of a helper: its command is lost, and said to be", async () => {
    await using app = await commandApp();
    const file = join(app.folder, "pid");
    const request = commandRequest(`echo $$ > ${file}.tmp; mv ${file}.tmp ${file}; exec sleep 600`);
    const following = send(app, "POST", "/command?follow=1", request).then(collect);
    const pid = await eventually("its pid", () => readFile(file, "utf8").catch(() => undefined));
    const shell = await processName(Number(pid));
    await killIfAlive(await helperOf(app, request.commandID));
    expect((await following).end).toMatchObject({ state: "lost", exit: null, signal: null });
    await killIfAlive(shell);
    const record = await json(await send(app, "GET", `/command/${request.commandID}`));
    expect(record).toMatchObject({ state: "lost" });
  });

  it("of helper and stub: the next stub says lost, not running", async () => {
    await using app = await commandApp();
    const request = commandRequest("echo $$; exec sleep 600");
    const response = await send(app, "POST", "/command?follow=1", request);
    response.on("error", () => undefined);
    await eventually("its pid", () => (app.commands.get(request.commandID)?.record().output.stdout ?? 0) > 0);
    const shell = Number(await readFile(join(app.folder, "commands", `${request.commandID}.stdout`), "utf8"));
    const name = await processName(shell);
    await killIfAlive(await helperOf(app, request.commandID));
    await app.commands.get(request.commandID)?.settled;
    await using next = await commandApp({ folder: app.folder });
    expect(await json(await send(next, "GET", `/command/${request.commandID}`))).toMatchObject({ state: "lost" });
    await killIfAlive(name);
  });

  it("of helper and stub: when a command was lost does not change with every stub that starts", async () => {
    const ended = async (app: Awaited<ReturnType<typeof commandApp>>) =>
      (await json<CommandRecord>(await send(app, "GET", `/command/${request.commandID}`))).time.ended ?? 0;
    const request = commandRequest("echo $$; exec sleep 600");
    await using app = await commandApp();
    const response = await send(app, "POST", "/command?follow=1", request);
    response.on("error", () => undefined);
    await eventually("its pid", () => (app.commands.get(request.commandID)?.record().output.stdout ?? 0) > 0);
    const log = join(app.folder, "commands", `${request.commandID}.stdout`);
    const name = await processName(Number(await readFile(log, "utf8")));
    await killIfAlive(await helperOf(app, request.commandID));
    await app.commands.get(request.commandID)?.settled;
    const first = await ended(app);
    for (let restart = 0; restart < 2; restart++) {
      await using next = await commandApp({ folder: app.folder });
      expect(Math.abs((await ended(next)) - first)).toBeLessThanOrEqual(1);
    }
    // one that died while no stub ran was last heard of by its last write
    const written = new Date(first - 60_000);
    for (const suffix of ["run", "stdout"]) await utimes(log.replace(/stdout$/, suffix), written, written);
    await using later = await commandApp({ folder: app.folder });
    expect(await ended(later)).toBe(written.getTime());
    await killIfAlive(name);
  });

  it("of every spawner, because the helper is not there: commands fail with a code, and the stub lives", async () => {
    await using app = await commandApp({ helper: "/no/such/helper" });
    await eventually("the log line", () => app.warnings.length > 0);
    expect(await run(app, "true")).toMatchObject({ status: 500, error: { code: "spawn_failed" } });
    expect((await send(app, "GET", "/command/cmd_00000000none")).statusCode).toBe(404);
  });
});
