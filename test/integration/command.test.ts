// What one command gives back: bytes, streams, status, environment, errors. Rows 31-33 of the original's defects.
import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { FrameType, frameReader } from "../../protocol/frames.js";
import { parseRun } from "../../stub/commands/files.js";
import { body, collect, commandRequest, json, run, send } from "../fixtures/command-app.js";
import { describeCommandsAtLevels } from "../fixtures/describe-commands.js";

describeCommandsAtLevels("a command on the host", {}, (app) => {
  it("gives stdout and stderr apart, byte for byte, FF and FE included", async () => {
    const ran = await run(app, String.raw`printf '\377\376\000a'; printf '\376\377' >&2`);
    expect([...ran.stdout]).toEqual([0xff, 0xfe, 0x00, 0x61]);
    expect([...ran.stderr]).toEqual([0xfe, 0xff]);
    expect(ran.end).toMatchObject({ state: "exited", exit: 0, output: { stdout: 4, stderr: 2 }, pending: 0 });
  });

  it("tells the exit status as it is", async () => {
    for (const status of [0, 1, 42, 127, 255]) {
      const ran = await run(app, `exit ${status}`);
      expect(ran.end).toMatchObject({ state: "exited", exit: status, signal: null, survivors: [] });
    }
  });

  it("names the signal that ended it instead of inventing a status", async () => {
    for (const [signal, name] of [
      ["KILL", "SIGKILL"],
      ["TERM", "SIGTERM"],
      ["SEGV", "SIGSEGV"],
    ]) {
      const ran = await run(app, `kill -${signal} $$`);
      expect(ran.end).toMatchObject({ state: "killed", exit: null, signal: name, aborted: false, timedOut: false });
    }
  });

  it("hands over every variable of the environment, not one at random", async () => {
    const env = { ONE: "1", TWO: "zwei und\nmehr", THREE: "=3=" };
    const ran = await run(app, { command: 'printf "%s|" "$ONE" "$TWO" "$THREE"', env });
    expect(ran.stdout.toString()).toBe("1|zwei und\nmehr|=3=|");
  });

  it("lets a variable of the request replace one of the login environment", async () => {
    const ran = await run(app, { command: 'env | grep -c "^HOME="; echo "$HOME"', env: { HOME: "/elsewhere" } });
    expect(ran.stdout.toString()).toBe("1\n/elsewhere\n");
  });

  it("executes argv as it is, without a shell", async () => {
    const ran = await run(app, { argv: ["printf", "%s,", "a b", "$HOME", "*", ""] });
    expect(ran.stdout.toString()).toBe("a b,$HOME,*,,");
  });

  it("finds a program of argv on the PATH that the request gives", async () => {
    await mkdir(join(app.folder, "tools"), { recursive: true });
    await writeFile(join(app.folder, "tools/hello-tool"), "echo from a script without an interpreter line\n", {
      mode: 0o755,
    });
    const ran = await run(app, { argv: ["hello-tool"], env: { PATH: `/nowhere:${app.folder}/tools` } });
    expect(ran.stdout.toString()).toBe("from a script without an interpreter line\n");
  });

  it("closes stdin, so that nothing waits for a terminal", async () => {
    const ran = await run(app, "cat; echo done; readlink /proc/self/fd/0");
    expect(ran.stdout.toString()).toBe("done\n/dev/null\n");
  });

  it("lets a command inherit only its three descriptors, default signals and an empty signal mask", async () => {
    const ran = await run(app, {
      argv: ["sh", "-c", "ls /proc/self/fd | tr '\\n' ' '; grep -E 'Sig(Blk|Ign)' /proc/self/status"],
    });
    // descriptor 3 is ls's own: the directory it reads
    expect(ran.stdout.toString().replaceAll("\t", " ")).toBe(
      "0 1 2 3 SigBlk: 0000000000000000\nSigIgn: 0000000000000000\n",
    );
  });

  it("answers a missing directory with a code, and nothing stays of it", async () => {
    const request = commandRequest({ command: "echo never", cwd: join(app.folder, "missing") });
    const answer = await collect(await send(app, "POST", "/command?follow=1", request));
    expect(answer).toMatchObject({ status: 400, error: { code: "cwd_missing", hint: expect.any(String) } });
    const later = await send(app, "GET", `/command/${request.commandID}`);
    expect(await json(later)).toMatchObject({ code: "command_unknown" });
    await mkdir(join(app.folder, "missing"));
    const again = await collect(await send(app, "POST", "/command?follow=1", request));
    expect(again.stdout.toString()).toBe("never\n");
  });

  it("answers the same without follow", async () => {
    const answer = await send(app, "POST", "/command", commandRequest({ command: "true", cwd: "/missing/too" }));
    expect(answer.statusCode).toBe(400);
    expect(await json(answer)).toMatchObject({ code: "cwd_missing" });
  });

  it("answers a program that is not there, or is no program, with spawn_failed", async () => {
    const missing = await run(app, { argv: ["no-such-program-anywhere"] });
    expect(missing).toMatchObject({ status: 500, error: { code: "spawn_failed", details: { name: "ENOENT" } } });
    const file = await run(app, { argv: ["/etc/passwd"] });
    expect(file).toMatchObject({ status: 500, error: { code: "spawn_failed", details: { name: "EACCES" } } });
  });

  it("answers text longer than the kernel takes with spawn_failed and says what to do", async () => {
    const ran = await run(app, `: ${"x".repeat(200 * 1024)}`);
    expect(ran).toMatchObject({
      status: 500,
      error: { code: "spawn_failed", details: { name: "E2BIG" }, hint: expect.stringContaining("128 KiB") },
    });
  });

  it("refuses NUL, which would cut an argument short unseen", async () => {
    const ran = await run(app, { argv: ["printf", "a\0b"] });
    expect(ran).toMatchObject({ status: 400, error: { code: "invalid_request" } });
  });

  it("sends output before the command has ended", async () => {
    const gate = join(app.folder, "gate");
    const request = commandRequest(`echo first; until [ -e '${gate}' ]; do sleep 0.02; done; echo second`);
    const response = await send(app, "POST", "/command?follow=1", request);
    let text = "";
    let ended = false;
    const read = frameReader((frame) => {
      if (frame.type === FrameType.output) text += Buffer.from(frame.payload).toString();
      if (frame.type === FrameType.end) ended = true;
    });
    for await (const chunk of response) {
      read(chunk as Buffer);
      if (text === "first\n") {
        expect(ended).toBe(false); // it cannot have: it waits for what is made now
        await writeFile(gate, "");
      }
    }
    expect(text).toBe("first\nsecond\n");
    expect(ended).toBe(true);
  });

  it("answers a start without follow while the command runs, and its record and output later", async () => {
    const gate = join(app.folder, "gate2");
    const request = commandRequest(`printf abcdef; until [ -e '${gate}' ]; do sleep 0.02; done; printf ghi`);
    const started = await json<{ state: string; commandID: string }>(await send(app, "POST", "/command", request));
    expect(started).toMatchObject({ state: "running", commandID: request.commandID });
    const command = app.commands.get(request.commandID);
    await writeFile(gate, "");
    await command?.done;
    expect(await json(await send(app, "GET", `/command/${request.commandID}`))).toMatchObject({
      state: "exited",
      output: { stdout: 9 },
    });
    const tail = await send(app, "GET", `/command/${request.commandID}/output?stream=stdout&offset=4`);
    expect(tail.headers["content-length"]).toBe("5");
    expect((await body(tail)).toString()).toBe("efghi");
    const none = await send(app, "GET", `/command/${request.commandID}/output?stream=stderr`);
    expect((await body(none)).toString()).toBe("");
  });

  it("follows again from an offset: nothing lost, nothing doubled, each stream by itself", async () => {
    const request = commandRequest("printf 0123456789; printf abcdef >&2");
    await collect(await send(app, "POST", "/command?follow=1", request));
    const path = `/command/${request.commandID}/output?follow=1`;
    const both = await collect(await send(app, "GET", `${path}&stdout=7&stderr=2`));
    expect([both.stdout.toString(), both.stderr.toString()]).toEqual(["789", "cdef"]);
    const one = await collect(await send(app, "GET", `${path}&stream=stderr&offset=5`));
    expect([one.stdout.toString(), one.stderr.toString()]).toEqual(["", "f"]);
    expect(one.end).toMatchObject({ state: "exited", exit: 0 });
  });

  it("keeps what it needs in files of mode 0600, whatever umask the login has", async () => {
    const request = commandRequest("umask; echo x; echo y >&2");
    await collect(await send(app, "POST", "/command?follow=1", request));
    for (const suffix of ["run", "stdout", "stderr"]) {
      const { mode } = await stat(join(app.folder, "commands", `${request.commandID}.${suffix}`));
      expect([suffix, (mode & 0o777).toString(8)]).toEqual([suffix, "600"]);
    }
    const { end } = parseRun(await readFile(join(app.folder, "commands", `${request.commandID}.run`), "utf8"));
    expect(end).toMatchObject({ status: 0, flags: 0, stdout: 7, stderr: 2, pending: 0, survivors: [] });
  });

  it("reports start, output and end as events", async () => {
    app.events.length = 0;
    const ran = await run(app, "echo x; sleep 0.3");
    const mine = app.events.filter(
      (event) => (event.properties as { commandID: string }).commandID === ran.end?.commandID,
    );
    expect(mine.map((event) => event.type)).toEqual(["command.started", "command.output", "command.ended"]);
    expect(mine[1]?.properties).toMatchObject({ stdout: 2, stderr: 0 });
    expect(mine[2]?.properties).toMatchObject({ state: "exited" });
  });

  it("runs forty at once, each with its own exact output and status", async () => {
    const all = await Promise.all(
      Array.from({ length: 40 }, async (_, i) => {
        const text = `i=${i}; n=0; while [ $n -lt 50 ]; do echo "line $i $n"; echo "err $i" >&2; n=$((n+1)); done; exit ${i}`;
        return { i, ran: await run(app, text) };
      }),
    );
    for (const { i, ran } of all) {
      expect(ran.stdout.toString()).toBe(Array.from({ length: 50 }, (_, n) => `line ${i} ${n}\n`).join(""));
      expect(ran.stderr.toString()).toBe(`err ${i}\n`.repeat(50));
      expect(ran.end).toMatchObject({ exit: i });
    }
    expect(app.warnings).toEqual([]);
  });
});
