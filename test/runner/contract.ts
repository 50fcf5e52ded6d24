// What every runner must do, as stories; run on the local reference and on a real stub.
import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readFile, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import type {
  OnAsk,
  RunCommandRequest,
  RunnerAsk,
  RunnerProvider,
  RunnerPty,
  RunnerSession,
  RunnerSessionOptions,
} from "../../plugin/runner/runner.js";
import { newID } from "../../protocol/ids.js";
import { Mark } from "../fixtures/marked-processes.js";
import { eventually } from "../fixtures/processes.js";
import { describe } from "../fixtures/with-compiler.js";

/** A runner and the machine it works on: here both are this one, so the stories can look at the files themselves. */
export interface ContractHost {
  provider: RunnerProvider;
  /** Name for `RunnerDestination.host`. */
  host: string;
  stop(): Promise<void>;
}

export function runnerContract(name: string, start: () => Promise<ContractHost>): void {
  describe(`the ${name} runner`, () => {
    let host: ContractHost;
    let base: string;
    let project: string;
    let outside: string;
    const sessions: RunnerSession[] = [];

    beforeAll(async () => {
      host = await start();
    }, 60_000);
    afterAll(async () => {
      await host?.stop();
    });
    beforeEach(async () => {
      base = await realpath(await mkdtemp(join(tmpdir(), "ocr-contract-")));
      project = join(base, "project");
      outside = join(base, "outside");
      await mkdir(project);
      await mkdir(outside);
    });
    afterEach(async () => {
      for (const session of sessions.splice(0)) await session.close();
      await rm(base, { recursive: true, force: true });
    });

    const open = async (options?: RunnerSessionOptions, directory: string | null = project) => {
      const destination = { host: host.host, directory, workspaceID: newID("wrk"), name: "contract" };
      const session = await host.provider.createSession(destination, options);
      sessions.push(session);
      return session;
    };

    describe("terminals", () => {
      const watch = (pty: RunnerPty) => {
        const seen = { text: "", lost: 0, exit: undefined as number | null | undefined };
        pty.onData((piece, lost) => {
          seen.text += piece;
          seen.lost += lost;
        });
        pty.onExit((exit) => {
          seen.exit = exit;
        });
        return seen;
      };

      it("is a program on a terminal of the asked size, in the session's directory", async () => {
        const session = await open();
        const script = 'pwd; stty size; read line; echo "got $line"; exit 3';
        const pty = await session.openPty({
          command: "/usr/bin/env",
          args: ["sh", "-c", script],
          size: { cols: 91, rows: 31 },
        });
        const seen = watch(pty);
        await eventually("the size", () => seen.text.includes("31 91\r\n"));
        expect(seen.text).toContain(`${project}\r\n`);
        expect(pty.write("ä€😀\n")).toBe(true);
        await eventually("the end", () => seen.exit !== undefined);
        expect(seen.exit).toBe(3);
        expect(seen.text).toContain("got ä€😀\r\n");
        expect(seen.lost).toBe(0);
        expect(pty.write("too late")).toBe(false);
        await pty.close();
      });

      it("takes another size, and its variables", async () => {
        const session = await open();
        const script = 'trap "stty size" WINCH; echo "$MINE"; while :; do sleep 0.05; done';
        const pty = await session.openPty({
          command: "/usr/bin/env",
          args: ["sh", "-c", script],
          env: { MINE: "m i" },
        });
        const seen = watch(pty);
        await eventually("the variable", () => seen.text.includes("m i\r\n"));
        await pty.resize({ cols: 132, rows: 40 });
        await eventually("the size", () => seen.text.includes("40 132\r\n"));
        await pty.close();
      });

      it("is the user's shell by default, and close ends what runs in it", async () => {
        const session = await open();
        const mark = new Mark();
        const pty = await session.openPty({ env: mark.env });
        const seen = watch(pty);
        pty.write("echo $((40 + 2))\n");
        await eventually("the answer", () => seen.text.includes("42\r\n"));
        expect(await mark.pids()).not.toEqual([]);
        await pty.close();
        await mark.gone();
        await pty.close();
        expect(seen.exit).not.toBe(undefined);
      });

      it("asks for a directory outside, and says where there is none", async () => {
        const asks: RunnerAsk[] = [];
        const session = await open({ onAsk: record(asks, { reply: "reject" }) });
        await expect(session.openPty({ cwd: outside })).rejects.toMatchObject({ code: "permission_rejected" });
        expect(asks.map(({ path }) => path)).toEqual([outside]);
        await expect(session.openPty({ cwd: join(project, "nowhere") })).rejects.toMatchObject({ code: "cwd_missing" });
      });

      it("ends with its session", async () => {
        const session = await open();
        const mark = new Mark();
        const args = ["sh", "-c", "echo on; sleep 100"];
        const pty = await session.openPty({ command: "/usr/bin/env", args, env: mark.env });
        const seen = watch(pty);
        await eventually("the start", () => seen.text.includes("on\r\n"));
        expect(await mark.pids()).not.toEqual([]);
        await session.close();
        await mark.gone();
      });
    });

    describe("commands", () => {
      it("runs text by a shell in the session's directory and tells its exit status", async () => {
        const session = await open();
        const { result, stdout, stderr } = await run(session, { command: "pwd; echo problem >&2; exit 3" });
        expect(stdout.toString()).toBe(`${project}\n`);
        expect(stderr.toString()).toBe("problem\n");
        expect(result).toMatchObject({ state: "exited", exit: 3, signal: null, timedOut: false, aborted: false });
        expect(result).toMatchObject({ stdoutBytes: project.length + 1, stderrBytes: 8, pending: 0 });
        expect(result.endedAt).toBeGreaterThanOrEqual(result.startedAt);
      });

      it("runs a program with its arguments as they are, without a shell in between", async () => {
        const session = await open();
        const { stdout } = await run(session, { program: "printf", args: ["%s|", "a b", "$HOME", "'", ""] });
        expect(stdout.toString()).toBe("a b|$HOME|'||");
      });

      it("keeps every byte, whatever it is", async () => {
        const session = await open();
        const bytes = Buffer.from(Array.from({ length: 256 }, (_, index) => index));
        await writeFile(join(project, "bytes"), bytes);
        const { stdout, stderr } = await run(session, { command: "cat bytes; cat bytes bytes >&2" });
        expect(stdout.equals(bytes)).toBe(true);
        expect(stderr.equals(Buffer.concat([bytes, bytes]))).toBe(true);
      });

      it("gives every variable that was asked for", async () => {
        const session = await open();
        const env = { ONE: "1", TWO: "zwei two", THREE: "3=3" };
        const { stdout } = await run(session, { command: 'echo "$ONE,$TWO,$THREE"', env });
        expect(stdout.toString()).toBe("1,zwei two,3=3\n");
      });

      it("runs in the directory that the call names, relative to the session's", async () => {
        const session = await open();
        await mkdir(join(project, "below"));
        const { stdout } = await run(session, { command: "pwd", cwd: "below" });
        expect(stdout.toString()).toBe(`${join(project, "below")}\n`);
      });

      it("says so when that directory does not exist, and runs nothing", async () => {
        const session = await open();
        const marker = join(project, "ran");
        await expect(run(session, { command: `touch ${marker}`, cwd: "nowhere" })).rejects.toMatchObject({
          code: "cwd_missing",
        });
        await expect(readFile(marker)).rejects.toMatchObject({ code: "ENOENT" });
      });

      it("gives a command without any directory a private temporary one", async () => {
        const session = await open(undefined, null);
        const { stdout, result } = await run(session, { command: "pwd; ls -A | wc -l" });
        expect(result.exit).toBe(0);
        expect(stdout.toString()).toMatch(/^\/.+\n\s*0\n$/);
      });

      it("delivers output while the command still runs", async () => {
        const session = await open();
        const go = join(project, "go");
        const seen: string[] = [];
        const { result } = await run(session, {
          command: `echo first; while [ ! -e ${go} ]; do sleep 0.05; done; echo second`,
          onOutput: async ({ data }) => {
            seen.push(Buffer.from(data).toString());
            if (seen.join("") === "first\n") await writeFile(go, "");
          },
        });
        expect(result.exit).toBe(0);
        expect(seen.join("")).toBe("first\nsecond\n");
      });

      it("tells the signal that ended the shell", async () => {
        const session = await open();
        const { result } = await run(session, { command: "kill -USR1 $$" });
        expect(result).toMatchObject({ state: "killed", exit: null, signal: "SIGUSR1" });
      });

      it("answers when the shell has ended even if a child holds its output, and says that one is left", async () => {
        const session = await open();
        const mark = new Mark();
        const { result, stdout } = await run(session, { command: "sleep 300 & echo done", env: mark.env });
        const [pid = Number.NaN, ...more] = await mark.pids();
        expect(more).toEqual([]);
        expect(stdout.toString()).toBe("done\n");
        expect(result).toMatchObject({ exit: 0, pending: 1 });
        process.kill(pid, "SIGKILL");
      });

      it("runs the same id once, and tells its story again", async () => {
        const session = await open();
        const commandID = newID("cmd");
        const request = { commandID, command: `echo again; echo x >> ${join(project, "count")}` };
        const first = await run(session, request);
        const second = await run(session, request);
        expect(second.stdout.toString()).toBe("again\n");
        expect(second.result).toEqual(first.result);
        expect(await readFile(join(project, "count"), "utf8")).toBe("x\n");
      });

      it("ends a command that takes too long, with its children", async () => {
        const session = await open();
        const mark = new Mark();
        const { result } = await run(session, { command: "sleep 300 & wait", env: mark.env, timeoutMs: 300 });
        expect(result).toMatchObject({ timedOut: true, exit: null });
        await mark.gone();
      });

      it("answers an abort at once and ends the command with its children", async () => {
        const session = await open();
        const mark = new Mark();
        const abort = new AbortController();
        const { result } = await run(session, {
          command: "trap '' TERM; sleep 300 & echo ready; wait; wait",
          env: mark.env,
          signal: abort.signal,
          onOutput: () => abort.abort(),
        });
        expect(result.aborted).toBe(true);
        await mark.gone();
      });

      it("lets go of a command without ending it, and finds its output and its end again by its id", async () => {
        const session = await open();
        const commandID = newID("cmd");
        const away = new AbortController();
        const running = run(session, {
          commandID,
          command: "seq 1 5; while [ ! -e go ]; do sleep 0.02; done; seq 6 10; exit 4",
          detach: away.signal,
          onOutput: () => away.abort(new Error("gone")),
        });
        await expect(running).rejects.toThrow("gone");
        expect(await session.findCommand(commandID)).toMatchObject({ commandID, state: "running" });
        expect(await session.findCommand(newID("cmd"))).toBeUndefined();
        await writeFile(join(project, "go"), "");
        for (const from of [0, 6]) {
          const pieces: Buffer[] = [];
          const result = await session.followCommand(commandID, {
            from: { stdout: from, stderr: 0 },
            onOutput: ({ data }) => void pieces.push(Buffer.from(data)),
          });
          expect(result).toMatchObject({ commandID, state: "exited", exit: 4 });
          expect(Buffer.concat(pieces).toString()).toBe("1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n".slice(from));
        }
        expect(await session.findCommand(commandID)).toMatchObject({ state: "exited", exit: 4 });
        await expect(session.followCommand(newID("cmd"), {})).rejects.toMatchObject({ code: "command_unknown" });
      });

      it("runs nothing when the abort came first", async () => {
        const session = await open();
        const marker = join(project, "ran");
        const abort = new AbortController();
        abort.abort();
        const request = { command: `touch ${marker}`, signal: abort.signal };
        await expect(run(session, request)).rejects.toMatchObject({ code: "aborted" });
        await expect(readFile(marker)).rejects.toMatchObject({ code: "ENOENT" });
      });

      it("cancels a command by its id, once", async () => {
        const session = await open();
        const commandID = newID("cmd");
        const cancelled: boolean[] = [];
        const { result } = await run(session, {
          commandID,
          command: "echo ready; exec sleep 300",
          onOutput: async () => {
            cancelled.push(await session.cancelCommand(commandID));
          },
        });
        expect(cancelled).toEqual([true]);
        expect(result).toMatchObject({ state: "killed", exit: null, aborted: true });
        expect(await session.cancelCommand(newID("cmd"))).toBe(false);
      });

      it("runs several at a time and mixes nothing up", async () => {
        const session = await open();
        const all = await Promise.all(
          Array.from({ length: 12 }, (_, index) => run(session, { command: `echo start ${index}; echo ${index} >&2` })),
        );
        for (const [index, { stdout, stderr }] of all.entries()) {
          expect(stdout.toString()).toBe(`start ${index}\n`);
          expect(stderr.toString()).toBe(`${index}\n`);
        }
      });

      it("passes on what the receiver of the output throws", async () => {
        const session = await open();
        const onOutput = () => {
          throw new Error("the receiver is full");
        };
        await expect(run(session, { command: "echo x", onOutput })).rejects.toThrow("the receiver is full");
      });

      it("refuses a request that names no command, or two", async () => {
        const session = await open();
        await expect(run(session, {})).rejects.toMatchObject({ code: "invalid_request" });
        await expect(run(session, { command: "true", program: "true" })).rejects.toMatchObject({
          code: "invalid_request",
        });
      });
    });

    describe("files", () => {
      it("writes and reads bytes, and a part of them", async () => {
        const session = await open();
        const data = Buffer.from([0, 255, 254, 10, 13, 0]);
        const written = await session.writeFile("some file", data);
        expect(written).toMatchObject({ path: join(project, "some file"), size: 6, existed: false });
        const read = await session.readFile("some file");
        expect(Buffer.from(read.data).equals(data)).toBe(true);
        expect(read).toMatchObject({ path: join(project, "some file"), size: 6, tag: written.tag });
        const part = await session.readFile("some file", { offset: 1, length: 2 });
        expect([...part.data]).toEqual([255, 254]);
        expect(part.size).toBe(6);
      });

      it("writes an empty file", async () => {
        const session = await open();
        expect(await session.writeFile("empty", new Uint8Array())).toMatchObject({ size: 0 });
        expect((await session.readFile("empty")).data.length).toBe(0);
      });

      it("notices that a file changed since it was read", async () => {
        const session = await open();
        const { tag } = await session.writeFile("file", text("one"));
        await writeFile(join(project, "file"), "somebody else's");
        await expect(session.writeFile("file", text("two"), { ifMatch: tag })).rejects.toMatchObject({
          code: "conflict",
        });
        expect(await readFile(join(project, "file"), "utf8")).toBe("somebody else's");
        const fresh = await session.readFile("file");
        expect(await session.writeFile("file", text("two"), { ifMatch: fresh.tag })).toMatchObject({ existed: true });
        expect(await readFile(join(project, "file"), "utf8")).toBe("two");
      });

      it("makes a file only where none is, if that is asked for", async () => {
        const session = await open();
        await session.writeFile("new", text("1"), { ifMatch: "absent" });
        await expect(session.writeFile("new", text("2"), { ifMatch: "absent" })).rejects.toMatchObject({
          code: "conflict",
        });
      });

      it("fails with ENOENT where the parent is missing, unless parents are asked for", async () => {
        const session = await open();
        await expect(session.writeFile("a/b/file", text("x"))).rejects.toMatchObject({ code: "ENOENT" });
        await session.writeFile("a/b/file", text("x"), { parents: true });
        expect(await readFile(join(project, "a/b/file"), "utf8")).toBe("x");
      });

      it("keeps the mode of a file that it writes over", async () => {
        const session = await open();
        await writeFile(join(project, "script"), "#!/bin/sh\n", { mode: 0o755 });
        await session.writeFile("script", text("#!/bin/sh\necho hi\n"));
        expect((await session.stat("script")).mode).toBe(0o755);
      });

      it("reports node's own codes", async () => {
        const session = await open();
        await mkdir(join(project, "directory/full"), { recursive: true });
        await writeFile(join(project, "file"), "");
        await expect(session.readFile("missing")).rejects.toMatchObject({ code: "ENOENT" });
        await expect(session.readFile("directory")).rejects.toMatchObject({ code: "EISDIR" });
        await expect(session.writeFile("directory", text(""))).rejects.toMatchObject({ code: "EISDIR" });
        await expect(session.readdir("file")).rejects.toMatchObject({ code: "ENOTDIR" });
        await expect(session.stat("file/below")).rejects.toMatchObject({ code: "ENOTDIR" });
        await expect(session.mkdir("directory")).rejects.toMatchObject({ code: "EEXIST" });
        await expect(session.remove("directory")).rejects.toMatchObject({ code: "EISDIR" });
        await expect(session.remove("missing")).rejects.toMatchObject({ code: "ENOENT" });
        await expect(session.move("missing", "to")).rejects.toMatchObject({ code: "ENOENT" });
        await expect(session.move("file", "directory")).rejects.toMatchObject({ code: "EEXIST" });
      });

      it("tells what a path is", async () => {
        const session = await open();
        await writeFile(join(project, "file"), "12345", { mode: 0o640 });
        const stat = await session.stat("file");
        expect(stat).toMatchObject({ path: join(project, "file"), type: "file", size: 5, mode: 0o640 });
        expect(stat.tag).toBe((await session.readFile("file")).tag);
        expect(await session.stat(".")).toMatchObject({ path: project, type: "directory" });
        expect(await session.exists("file")).toBe(true);
        expect(await session.exists("missing")).toBe(false);
        expect(await session.exists("file/below")).toBe(false);
      });

      it("lists directories first, then by name", async () => {
        const session = await open();
        await mkdir(join(project, "z-directory"));
        for (const name of ["b", "a", ".hidden"]) await writeFile(join(project, name), "");
        const entries = await session.readdir(".");
        expect(entries.map(({ name, type }) => [name, type])).toEqual([
          ["z-directory", "directory"],
          [".hidden", "file"],
          ["a", "file"],
          ["b", "file"],
        ]);
        expect(entries[0]?.path).toBe(join(project, "z-directory"));
      });

      it("makes, moves and removes", async () => {
        const session = await open();
        await session.mkdir("one/two", { parents: true });
        await session.writeFile("one/two/file", text("x"));
        await session.move("one/two/file", "elsewhere/file", { parents: true });
        expect(await readFile(join(project, "elsewhere/file"), "utf8")).toBe("x");
        await session.writeFile("other", text("y"));
        await session.move("other", "elsewhere/file", { overwrite: true });
        expect(await readFile(join(project, "elsewhere/file"), "utf8")).toBe("y");
        await session.remove("one", { recursive: true });
        await session.remove("elsewhere/file");
        await session.remove("elsewhere", { recursive: true });
        expect(await session.readdir(".")).toEqual([]);
      });

      it("shows lines as the read tool does", async () => {
        const session = await open();
        const lines = Array.from({ length: 10 }, (_, index) => `line ${index + 1}`);
        await writeFile(join(project, "file"), `${lines.join("\n")}\n`);
        const whole = await session.view("file");
        expect(whole).toMatchObject({ type: "text", lines, lineStart: 1, totalLines: 10, truncated: null });
        expect(whole).toMatchObject({ content: `${lines.join("\n")}\n`, tag: (await session.stat("file")).tag });
        const part = await session.view("file", { offset: 3, limit: 2 });
        expect(part).toMatchObject({ lines: ["line 3", "line 4"], lineStart: 3, totalLines: 10, truncated: "lines" });
      });

      it("shows directories, pictures and what is neither text nor picture", async () => {
        const session = await open();
        await mkdir(join(project, "sub"));
        await writeFile(join(project, "sub/x"), "");
        await mkdir(join(project, "sub/y"));
        await writeFile(join(project, "image.png"), Buffer.from("iVBORw0KGgo=", "base64"));
        await writeFile(join(project, "data.bin"), Buffer.from([1, 0, 2]));
        expect(await session.view("sub")).toMatchObject({ type: "directory", entries: ["x", "y/"], total: 2 });
        expect(await session.view("image.png")).toMatchObject({
          type: "media",
          mime: "image/png",
          base64: "iVBORw0KGgo=",
        });
        expect(await session.view("data.bin")).toMatchObject({ type: "binary", size: 3 });
        await expect(session.view("missing")).rejects.toMatchObject({ code: "ENOENT" });
      });

      it("does many steps in one call, in order, and reports each", async () => {
        const session = await open();
        const results = await session.batch([
          { op: "write", path: "a", data: text("A") },
          { op: "read", path: "a" },
          { op: "read", path: "missing" },
          { op: "move", from: "a", to: "b" },
          { op: "stat", path: "b" },
          { op: "remove", path: "b" },
        ]);
        expect(results.map(({ ok }) => ok)).toEqual([true, true, false, true, true, true]);
        expect(results[0]).toMatchObject({ written: { size: 1, existed: false } });
        expect(results[1]).toMatchObject({ tag: expect.any(String) });
        expect(Buffer.from((results[1] as { data: Uint8Array }).data).toString()).toBe("A");
        expect(results[2]).toMatchObject({ error: { code: "ENOENT" } });
        expect(results[4]).toMatchObject({ stat: { path: join(project, "b"), size: 1 } });
        expect(await session.readdir(".")).toEqual([]);
      });

      it("stops behind a failed step where that is asked for", async () => {
        const session = await open();
        const results = await session.batch(
          [
            { op: "read", path: "missing" },
            { op: "write", path: "never", data: text("x") },
          ],
          { stop: true },
        );
        expect(results).toMatchObject([
          { ok: false, error: { code: "ENOENT" } },
          { ok: false, error: { code: "aborted" } },
        ]);
        expect(await session.exists("never")).toBe(false);
      });

      it("puts back what was changed for a message and those behind it, makes it again, and leaves what others changed", async () => {
        const session = await open();
        const sessionID = newID("ses");
        const of = (message: number) => ({ change: { sessionID, messageID: `msg_0000000${message}`, callID: "a" } });
        const at = (name: string) => join(project, name);
        const text = (name: string) => readFile(at(name), "utf8");
        const bytes = (content: string) => new TextEncoder().encode(content);
        await writeFile(at("kept"), "kept");
        await writeFile(at("other"), "other");
        await session.writeFile("kept", bytes("one"), of(1));
        await session.batch(
          [
            { op: "write", path: "kept", data: bytes("two") },
            { op: "write", path: "deep/new", data: bytes("new"), parents: true },
            { op: "remove", path: "other" },
          ],
          of(2),
        );
        const back = await session.revert(sessionID, { messageID: "msg_00000002" });
        expect(back.left).toEqual([]);
        expect(back.changed.map((each) => [each.path, each.now]).sort()).toEqual([
          [at("deep/new"), "removed"],
          [at("kept"), "written"],
          [at("other"), "written"],
        ]);
        expect([await text("kept"), await text("other")]).toEqual(["one", "other"]);
        await session.revert(sessionID, null);
        expect([await text("kept"), await text("deep/new")]).toEqual(["two", "new"]);
        await writeFile(at("kept"), "somebody's");
        const { left } = await session.revert(sessionID, { messageID: "msg_00000001" });
        expect(left).toEqual([{ path: at("kept"), reason: "conflict" }]);
        expect([await text("kept"), await text("other")]).toEqual(["somebody's", "other"]);
        await session.forgetChanges(sessionID, { all: true });
        expect(await session.revert(sessionID, null)).toEqual({ changed: [], left: [] });
      });
    });

    describe("the input of a command", () => {
      it("is given to it byte for byte and ended, with what it printed on the way", async () => {
        const session = await open();
        const bytes = randomBytes(5_000_000);
        const { result, stdout } = await run(session, {
          command: "cat; echo over >&2",
          input: inChunks(bytes, 70_001),
        });
        expect(result).toMatchObject({ state: "exited", exit: 0, stdoutBytes: bytes.length });
        expect(stdout.equals(bytes)).toBe(true);
      });

      it("may be empty, and without one there is none", async () => {
        const session = await open();
        expect((await run(session, { command: "wc -c", input: inChunks(Buffer.of(), 1) })).stdout.toString()).toBe(
          "0\n",
        );
        expect((await run(session, { command: "cat; readlink /proc/self/fd/0" })).stdout.toString()).toBe(
          "/dev/null\n",
        );
      });

      it("reaches it as it comes, a line at a time", async () => {
        const session = await open();
        const printed: string[] = [];
        const input = async function* () {
          for (const line of ["one", "two", "three"]) {
            yield Buffer.from(`${line}\n`);
            await eventually(line, () => printed.join("").endsWith(`got ${line}\n`));
          }
        };
        const { result } = await run(session, {
          command: 'while read line; do echo "got $line"; done; exit 4',
          input: input(),
          onOutput: ({ data }) => void printed.push(Buffer.from(data).toString()),
        });
        expect(result.exit).toBe(4);
        expect(printed.join("")).toBe("got one\ngot two\ngot three\n");
      });

      it("is a pipe: with a socket bash would take itself for run from afar, and read ~/.bashrc", async () => {
        const session = await open();
        const command = "if [ -p /proc/self/fd/0 ]; then echo pipe; fi";
        const { stdout } = await run(session, { command, input: inChunks(Buffer.of(1), 1) });
        expect(stdout.toString()).toBe("pipe\n");
      });

      it("is not read on when the command ends without it, whose status stays its own", async () => {
        const session = await open();
        let closed = false;
        const endless = async function* () {
          try {
            for (;;) yield Buffer.alloc(100_000);
          } finally {
            closed = true;
          }
        };
        const { result, stdout } = await run(session, { command: "head -c 3 | wc -c; exit 7", input: endless() });
        expect(result).toMatchObject({ state: "exited", exit: 7, aborted: false });
        expect(stdout.toString()).toBe("3\n");
        await eventually("the end of the reading", () => closed);
        const silent = run(session, { command: "exit 8", input: never() });
        expect((await silent).result.exit).toBe(8);
      });

      it("is not read on when the command reads no more, and the command goes on", async () => {
        const session = await open();
        const input = async function* () {
          for (;;) yield Buffer.alloc(100_000);
        };
        const { result, stdout } = await run(session, { command: "exec <&-; sleep 0.3; echo done", input: input() });
        expect([result.exit, stdout.toString()]).toEqual([0, "done\n"]);
      });

      it("ends with the command when that is aborted in the middle", async () => {
        const session = await open();
        const mark = new Mark();
        const abort = new AbortController();
        let given = 0;
        const input = async function* () {
          for (; ; given++) yield Buffer.alloc(100_000);
        };
        const { result } = await run(session, {
          command: "head -c 1000000 >/dev/null; echo half; exec sleep 300",
          env: mark.env,
          input: input(),
          signal: abort.signal,
          onOutput: () => abort.abort(),
        });
        expect(result.aborted).toBe(true);
        await mark.gone();
        const before = given;
        await new Promise((resolve) => setTimeout(resolve, 100));
        expect(given).toBe(before);
      });

      it("that fails cancels the command, which must not take it for the whole", async () => {
        const session = await open();
        const input = async function* () {
          yield Buffer.from("half");
          await eventually(
            "the half",
            async () => (await readFile(join(project, "copy"), "utf8").catch(() => "")) === "half",
          );
          throw new Error("the tape tore");
        };
        const mark = new Mark();
        const command = "cat > copy && touch whole; touch whole";
        await expect(run(session, { command, env: mark.env, input: input() })).rejects.toThrow("the tape tore");
        await mark.gone();
        expect(await session.exists("whole")).toBe(false);
      });
    });

    describe("search", () => {
      it("finds files by pattern", async () => {
        const session = await open();
        await session.writeFile("src/old.ts", text(""), { parents: true });
        await session.writeFile("src/deep/new.ts", text(""), { parents: true });
        await session.writeFile("src/other.md", text(""));
        const { files, truncated } = await session.glob("**/*.ts");
        const paths = files.map(({ path }) => path).sort();
        expect(paths).toEqual([join(project, "src/deep/new.ts"), join(project, "src/old.ts")]);
        expect(truncated).toBe(false);
        expect(await session.glob("**/*.ts", { limit: 1 })).toMatchObject({ truncated: true });
        expect((await session.glob("*.ts", { path: "src/deep" })).files).toHaveLength(1);
      });

      it("finds text with its line", async () => {
        const session = await open();
        await session.writeFile("a.txt", text("one\ntwo needle\nthree\n"));
        await session.writeFile("b.md", text("needle\n"));
        const all = await session.grep("ne+dle");
        expect(all.matches.map(({ path }) => path).sort()).toEqual([join(project, "a.txt"), join(project, "b.md")]);
        const some = await session.grep("needle", { include: "*.txt" });
        expect(some.matches).toMatchObject([{ path: join(project, "a.txt"), line: 2, text: "two needle" }]);
        expect(await session.grep("nothing like it")).toMatchObject({ matches: [], truncated: false });
        expect(await session.grep("needle", { limit: 1 })).toMatchObject({ truncated: true });
      });

      it("refuses a pattern that is none", async () => {
        const session = await open();
        await session.writeFile("a", text("x"));
        await expect(session.grep("(")).rejects.toMatchObject({ code: "invalid_request" });
      });
    });

    describe("paths outside", () => {
      it("refuses them where nobody can be asked, naming path and access", async () => {
        const session = await open();
        await writeFile(join(outside, "secret"), "s");
        await expect(session.readFile(join(outside, "secret"))).rejects.toMatchObject({
          code: "permission_required",
          details: { path: join(outside, "secret"), access: "read", permissionID: expect.stringMatching(/^per_/) },
        });
        await expect(session.writeFile("../outside/made", text("x"))).rejects.toMatchObject({
          code: "permission_required",
          details: { path: join(outside, "made"), access: "write" },
        });
        await expect(readFile(join(outside, "made"))).rejects.toMatchObject({ code: "ENOENT" });
      });

      it("sees through links", async () => {
        const session = await open();
        await writeFile(join(outside, "secret"), "s");
        await symlink(outside, join(project, "inside"));
        await expect(session.readFile("inside/secret")).rejects.toMatchObject({
          code: "permission_required",
          details: { path: join(outside, "secret") },
        });
        await expect(run(session, { command: "true", cwd: "inside" })).rejects.toMatchObject({
          code: "permission_required",
          details: { path: outside },
        });
      });

      it("asks, and an answer of `once` serves once", async () => {
        const asks: RunnerAsk[] = [];
        const session = await open({ onAsk: record(asks, { reply: "once" }) });
        await writeFile(join(outside, "secret"), "s");
        const read = await session.readFile(join(outside, "secret"), { sessionID: newID("ses") });
        expect(Buffer.from(read.data).toString()).toBe("s");
        await session.readFile(join(outside, "secret"));
        expect(asks.map(({ path, access }) => [path, access])).toEqual([
          [join(outside, "secret"), "read"],
          [join(outside, "secret"), "read"],
        ]);
      });

      it("asks once where the answer is `always`, and reading does not allow writing", async () => {
        const asks: RunnerAsk[] = [];
        const session = await open({ onAsk: record(asks, { reply: "always" }) });
        await writeFile(join(outside, "file"), "1");
        await session.readFile(join(outside, "file"));
        await session.readFile(join(outside, "file"));
        expect(asks).toHaveLength(1);
        await session.writeFile(join(outside, "file"), text("2"));
        expect(asks.map(({ access }) => access)).toEqual(["read", "write"]);
      });

      it("asks for the directory of a command before it runs", async () => {
        const asks: RunnerAsk[] = [];
        const session = await open({ onAsk: record(asks, { reply: "once" }) });
        const { stdout } = await run(session, { command: "pwd", cwd: outside });
        expect(stdout.toString()).toBe(`${outside}\n`);
        expect(asks.map(({ path }) => path)).toEqual([outside]);
      });

      it("moves between two paths outside when both are allowed once", async () => {
        const asks: RunnerAsk[] = [];
        const session = await open({ onAsk: record(asks, { reply: "once" }) });
        await mkdir(join(outside, "a"));
        await mkdir(join(outside, "b"));
        await writeFile(join(outside, "a/file"), "x");
        await session.move(join(outside, "a/file"), join(outside, "b/file"));
        expect(await readFile(join(outside, "b/file"), "utf8")).toBe("x");
        expect(asks.length).toBeGreaterThanOrEqual(1);
      });

      it("asks for the steps of a batch that need it, and does no step twice", async () => {
        const asks: RunnerAsk[] = [];
        const session = await open({ onAsk: record(asks, { reply: "once" }) });
        await writeFile(join(outside, "secret"), "s");
        const results = await session.batch([
          { op: "write", path: "once", data: text("x"), ifMatch: "absent" },
          { op: "read", path: join(outside, "secret") },
          { op: "stat", path: "once" },
        ]);
        expect(results.map(({ ok }) => ok)).toEqual([true, true, true]);
        expect(asks.map(({ path }) => path)).toEqual([join(outside, "secret")]);
      });

      it("tells what the user said when they reject, and runs nothing", async () => {
        const session = await open({ onAsk: async () => ({ reply: "reject", message: "not on this host" }) });
        const marker = join(project, "ran");
        await expect(run(session, { command: `touch ${marker}`, cwd: outside })).rejects.toMatchObject({
          code: "permission_rejected",
          message: "not on this host",
        });
        await expect(readFile(marker)).rejects.toMatchObject({ code: "ENOENT" });
      });

      it("prefers the call's own way of asking", async () => {
        const session = await open({ onAsk: async () => ({ reply: "reject" }) });
        await writeFile(join(outside, "file"), "1");
        const read = await session.readFile(join(outside, "file"), { onAsk: async () => ({ reply: "once" }) });
        expect(read.size).toBe(1);
      });

      it("gives up the question when the call is aborted", async () => {
        const abort = new AbortController();
        const session = await open({
          onAsk: (_, signal) =>
            new Promise((_resolve, reject) => {
              signal.addEventListener("abort", () => reject(new Error("question withdrawn")));
              abort.abort();
            }),
        });
        const reading = session.readFile(join(outside, "file"), { signal: abort.signal });
        await expect(reading).rejects.toMatchObject({ code: "aborted" });
      });
    });

    describe("sessions", () => {
      it("describes the machine and the project", async () => {
        await writeFile(join(project, "AGENTS.md"), "be kind\n");
        const session = await open();
        const facts = await session.describe();
        expect(facts).toMatchObject({ platform: process.platform, directory: project });
        expect(facts.instructions).toEqual([{ path: join(project, "AGENTS.md"), text: "be kind\n" }]);
        expect(facts.enforcement.level).toBeTypeOf("string");
        expect(facts.home).toMatch(/^\//);
      });

      it("is resumed from what was persisted of it, with its approvals' home", async () => {
        const session = await open();
        await session.writeFile("file", text("x"));
        const state = JSON.parse(JSON.stringify(session.state));
        await session.close();
        const again = await host.provider.resumeSession(state);
        sessions.push(again);
        expect((await again.readFile("file")).size).toBe(1);
      });

      it("refuses work once it is closed, and closing twice is nothing", async () => {
        const session = await open();
        await session.stat(".");
        await session.close();
        await session.close();
        await expect(session.stat(".")).rejects.toMatchObject({ code: "unavailable" });
      });

      it("says what is not built", async () => {
        const session = await open();
        expect(session.capabilities).toMatchObject({ commands: true, pty: true, ports: false });
        if (!session.capabilities.vcs) await expect(session.vcs.info()).rejects.toMatchObject({ code: "unsupported" });
        await expect(session.exposePort()).rejects.toMatchObject({ code: "unsupported" });
        await expect(session.snapshot()).rejects.toMatchObject({ code: "unsupported" });
      });
    });
  });
}

export async function run(session: RunnerSession, request: Partial<RunCommandRequest>) {
  const output = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  const result = await session.runCommand({
    commandID: newID("cmd"),
    ...request,
    onOutput: (chunk) => {
      expect(chunk.offset).toBe(output[chunk.stream].reduce((sum, { length }) => sum + length, 0));
      output[chunk.stream].push(Buffer.from(chunk.data));
      return request.onOutput?.(chunk);
    },
  });
  return { result, stdout: Buffer.concat(output.stdout), stderr: Buffer.concat(output.stderr) };
}

function record(asks: RunnerAsk[], reply: Awaited<ReturnType<OnAsk>>): OnAsk {
  return async (ask) => {
    asks.push(ask);
    return reply;
  };
}

async function* inChunks(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let from = 0; from < bytes.length; from += size) yield bytes.subarray(from, from + size);
}

/** An input of which nothing comes. */
async function* never(): AsyncGenerator<Buffer> {
  await new Promise(() => undefined);
}

function text(value: string): Uint8Array {
  return Buffer.from(value);
}
