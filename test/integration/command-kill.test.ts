// Ending commands: the caller has its answer at once, and the kill is confirmed for the whole tree. Rows 33 and 34.
import { execFileSync, spawn } from "node:child_process";
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { CommandRecord } from "../../protocol/command.js";
import { FrameType } from "../../protocol/frames.js";
import { readRunFile } from "../../stub/commands/files.js";
import { encodeCancel } from "../../stub/commands/request.js";
import { isAlive } from "../../stub/commands/watch.js";
import { body, collect, commandApp, commandRequest, json, run, send } from "../fixtures/command-app.js";
import { describeCommandsAtLevels } from "../fixtures/describe-commands.js";
import { cCompiler } from "../fixtures/helper-binary.js";
import { eventually, hostPid, killIfAlive, processName } from "../fixtures/processes.js";
import { outputOf, rawSpawner } from "../fixtures/raw-spawner.js";

/** A grandchild in a session of its own that ignores SIGTERM; its pid goes to `file`. */
const escapee = (file: string) =>
  `setsid sh -c 'trap "" TERM; echo $$ > ${file}.tmp; mv ${file}.tmp ${file}; while :; do sleep 1; done' >/dev/null 2>&1 &`;

async function pidFrom(file: string) {
  const own = Number(await eventually(`a pid in ${file}`, () => readFile(file, "utf8").catch(() => undefined)));
  const name = await processName((await hostPid(own)) ?? 0);
  if (name === undefined) throw new Error(`process ${own} is not there`);
  return name;
}

describeCommandsAtLevels("ending a command", { graceMs: 1000 }, (app) => {
  it("answers when the shell ends, even while a child keeps its pipes open, and says that one is left", async () => {
    const ran = await run(app, "sleep 600 & echo $!");
    const child = await processName((await hostPid(Number(ran.stdout.toString()))) ?? 0);
    expect(ran.end).toMatchObject({ state: "exited", exit: 0, pending: 1, survivors: null });
    expect(child && isAlive(child)).toBe(true); // the answer did not wait for it
    const command = app.commands.get(ran.end?.commandID ?? "");
    expect(command?.isSettled).toBe(false);
    command?.cancel("abort");
    expect(await command?.settled).toMatchObject({ state: "exited", exit: 0, aborted: true, survivors: [] });
    expect(child && isAlive(child)).toBe(false);
  });

  it("keeps the output that such a child prints later", async () => {
    const gate = join(app.folder, "late");
    const ran = await run(app, `(until [ -e '${gate}' ]; do sleep 0.02; done; echo late) & echo early`);
    expect(ran.stdout.toString()).toBe("early\n");
    const command = app.commands.get(ran.end?.commandID ?? "");
    await writeFile(gate, "");
    expect(await command?.settled).toMatchObject({ output: { stdout: 11 }, survivors: [] });
    const path = `/command/${ran.end?.commandID}/output`;
    expect((await body(await send(app, "GET", path))).toString()).toBe("early\nlate\n");
  });

  it("abort: kills children that called setsid and ignore SIGTERM, which a kill of the group alone leaves alive", async () => {
    const folder = await mkdtemp(join(tmpdir(), "ocrs-naive-"));
    const naive = spawn("sh", ["-c", `${escapee(join(folder, "pid"))} wait`], { detached: true, stdio: "ignore" });
    const left = await pidFrom(join(folder, "pid"));
    process.kill(-(naive.pid ?? 0), "SIGKILL");
    await new Promise((resolve) => naive.once("exit", resolve));
    expect(isAlive(left)).toBe(true); // the naive way
    await killIfAlive(left);
    await rm(folder, { recursive: true });

    const file = join(app.folder, "escapee");
    const request = commandRequest(`${escapee(file)} echo up; wait`);
    const following = send(app, "POST", "/command?follow=1", request).then(collect);
    const child = await pidFrom(file);
    const answer = await json<CommandRecord>(await send(app, "POST", `/command/${request.commandID}/cancel`));
    expect(answer).toMatchObject({ state: "killed", aborted: true, timedOut: false, survivors: null });
    expect(isAlive(child)).toBe(true); // the answer did not wait for the kill
    const ran = await following;
    expect(ran.end).toMatchObject({ state: "killed", aborted: true });
    expect(ran.stdout.toString()).toBe("up\n");
    const settled = await app.commands.get(request.commandID)?.settled;
    expect(settled).toMatchObject({ state: "killed", aborted: true, survivors: [] });
    expect(isAlive(child)).toBe(false);
    expect(await json(await send(app, "GET", `/command/${request.commandID}`))).toMatchObject({ survivors: [] });
    const told = app.events.map(({ type, properties }) => ({ type, ...(properties as CommandRecord) }));
    const mine = told.filter(({ type, commandID }) => type !== "command.output" && commandID === request.commandID);
    expect(mine).toMatchObject([
      { type: "command.started" },
      { type: "command.ended", aborted: true, survivors: null },
      { type: "command.settled", aborted: true, survivors: [] },
    ]);
  });

  it.skipIf(process.getuid?.() !== 0)(
    "never says killed of what it could not end: its pid is among the survivors (needs root, it makes a set-user-id program)",
    async () => {
      const folder = await mkdtemp(join(tmpdir(), "ocrs-survivor-"));
      const source = join(folder, "stay.c");
      const stay = join(folder, "stay");
      await writeFile(source, "#include <unistd.h>\nint main(void) { setuid(0); for (;;) pause(); }\n");
      execFileSync((await cCompiler()) ?? "", ["-o", stay, source]);
      await chmod(stay, 0o4755);
      await chmod(folder, 0o777);
      const spawner = await rawSpawner({ uid: 65534, gid: 65534 });
      spawner.read();
      spawner.start(1, join(folder, "command"), `${stay} & echo $!; wait`);
      const pid = Number(await eventually("its pid", () => outputOf(spawner.frames, 1).toString() || undefined));
      const name = await processName(pid);
      await eventually("its new user", async () =>
        /^Uid:\s+0\s/m.test(await readFile(`/proc/${pid}/status`, "latin1")),
      );
      spawner.socket.write(encodeCancel(1, "abort"));
      const settled = await eventually("settled", () => spawner.frames.find((f) => f.type === FrameType.settled));
      expect(JSON.parse(Buffer.from(settled.payload).toString())).toEqual({ survivors: [pid] });
      expect(name && isAlive(name)).toBe(true);
      expect(readRunFile(join(folder, "command"))?.end).toMatchObject({ flags: 2, survivors: [pid] });
      await killIfAlive(name);
      spawner.socket.destroy();
      await spawner.exited;
      await rm(folder, { recursive: true });
    },
    20_000,
  );

  it("timeout: answers at the limit and then kills the same way", async () => {
    const file = join(app.folder, "timeout-escapee");
    const ran = await run(app, { command: `${escapee(file)} sleep 600`, timeoutMs: 700 });
    expect(ran.end).toMatchObject({ state: "killed", timedOut: true, aborted: false });
    const settled = await app.commands.get(ran.end?.commandID ?? "")?.settled;
    expect(settled).toMatchObject({
      state: "killed",
      timedOut: true,
      aborted: false,
      signal: "SIGTERM",
      survivors: [],
    });
    expect(await readFile(file, "utf8").then((own) => hostPid(Number(own)))).toBeUndefined();
  });

  it("gives a command the time to tidy up after SIGTERM, and tells how it ended then", async () => {
    const request = commandRequest(`trap 'echo tidied; exit 7' TERM; echo ready; while :; do sleep 0.05; done`);
    const following = send(app, "POST", "/command?follow=1", request).then(collect);
    await eventually("its first line", () => app.commands.get(request.commandID)?.record().output.stdout === 6);
    app.commands.get(request.commandID)?.cancel("abort");
    await following;
    expect(await app.commands.get(request.commandID)?.settled).toMatchObject({
      state: "killed",
      exit: 7,
      aborted: true,
    });
    const log = await readFile(join(app.folder, "commands", `${request.commandID}.stdout`), "utf8");
    expect(log).toBe("ready\ntidied\n");
  });

  it("wakes a stopped command to end it", async () => {
    const request = commandRequest("echo $$; kill -STOP $$; echo never");
    const following = send(app, "POST", "/command?follow=1", request).then(collect);
    await eventually("its pid", () => (app.commands.get(request.commandID)?.record().output.stdout ?? 0) > 0);
    app.commands.get(request.commandID)?.cancel("abort");
    await following;
    expect(await app.commands.get(request.commandID)?.settled).toMatchObject({ signal: "SIGTERM", survivors: [] });
  });

  it("kills a tree that is deep, wide and forks all the time", async () => {
    const file = join(app.folder, "forker");
    const tree = `f() { if [ $1 -gt 0 ]; then f $(($1-1)) & f $(($1-1)) & fi; trap "" TERM; while :; do sleep 0.05; done; }; f 4 & echo $$ > ${file}.tmp; mv ${file}.tmp ${file}; wait`;
    const request = commandRequest(tree);
    const following = send(app, "POST", "/command?follow=1", request).then(collect);
    await pidFrom(file);
    app.commands.get(request.commandID)?.cancel("abort");
    await following;
    expect(await app.commands.get(request.commandID)?.settled).toMatchObject({ state: "killed", survivors: [] });
  });

  it("takes a second cancel, and one after the end, for what it is", async () => {
    const request = commandRequest("sleep 600");
    const following = send(app, "POST", "/command?follow=1", request).then(collect);
    await eventually("its start", () => app.commands.get(request.commandID)?.record().state === "running");
    app.commands.get(request.commandID)?.cancel("abort");
    app.commands.get(request.commandID)?.cancel("abort");
    await following;
    await app.commands.get(request.commandID)?.settled;
    const finished = await run(app, "exit 5");
    const answer = await json(await send(app, "POST", `/command/${finished.end?.commandID}/cancel`));
    expect(answer).toMatchObject({ state: "exited", exit: 5, aborted: false });
  });

  it("answers a cancel of an unknown command with a code", async () => {
    const answer = await send(app, "POST", "/command/cmd_00000000unknown/cancel");
    expect([answer.statusCode, await json(answer)]).toMatchObject([404, { code: "command_unknown" }]);
  });

  it("runs nothing if it is cancelled before the login environment is known", async () => {
    const home = await mkdtemp(join(tmpdir(), "ocrs-home-"));
    await writeFile(join(home, ".profile"), "until [ -e ~/gate ]; do sleep 0.02; done\n");
    await using slow = await commandApp({ login: { shell: "/bin/sh", base: { HOME: home, PATH: process.env.PATH } } });
    const file = join(slow.folder, "ran");
    const command = slow.commands.start({
      ...commandRequest(`touch ${file}`),
      workspaceID: "wrk_00000000",
      cwd: slow.folder,
      title: "touch",
      enforcement: { level: "static", ask: false, landlockAbi: 0, gaps: [] },
    });
    expect(command.record().state).toBe("queued");
    expect(command.cancel("abort")).toMatchObject({ state: "killed", aborted: true });
    expect(await command.settled).toMatchObject({ state: "killed", survivors: [] });
    await writeFile(join(home, "gate"), "");
    await run(slow, "true"); // queued behind it: it would have run by now
    await rm(home, { recursive: true });
    expect(await stat(file).catch(() => "missing")).toBe("missing");
  });

  it("removes the private directory of a command when its last descendant has ended", async () => {
    const scratch = await mkdtemp(join(tmpdir(), "ocrs-scratch-"));
    await using own = await commandApp({ admit: async () => ({ cwd: scratch, tmpdir: scratch }) });
    const ran = await run(
      own,
      `mkdir -p a/b && echo x > a/b/file && ln -s ${own.folder} out && chmod 0 a/b && sleep 0.3 &`,
    );
    expect((await stat(scratch)).isDirectory()).toBe(true); // a child still works in it
    await own.commands.get(ran.end?.commandID ?? "")?.settled;
    await eventually("the directory to go", () =>
      stat(scratch).then(
        () => false,
        () => true,
      ),
    );
    expect((await stat(own.folder)).isDirectory()).toBe(true); // the link was removed, not followed
  });
});
