// A running command that wants what was not approved waits, is asked for, and goes on. The user is a function here; live-asks.test.ts
// has the whole way through the stub.
import { execFileSync } from "node:child_process";
import { chmod, mkdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { AskUser, HeldAnswer, HeldAsk } from "../../stub/commands/held-asks.js";
import { type CommandApp, commandApp, run } from "../fixtures/command-app.js";
import { guardPolicy, type Home, scratchHome } from "../fixtures/guarded.js";
import { cCompiler } from "../fixtures/helper-binary.js";
import { confined, type Level } from "../fixtures/levels.js";

const LEVEL_ASK = 8;
const compiler = await cCompiler();
const levels: Level[] = ["landlock", "mount+landlock", "mount"];

describe.skipIf(compiler === undefined).each(levels)("at level %s (needs a C compiler)", (level) => {
  let place: Home & AsyncDisposable;
  let app: CommandApp;
  let asked: HeldAsk[];
  let answer: (ask: HeldAsk) => Promise<HeldAnswer> | HeldAnswer;
  let askWaitMs: number;
  const askUser: AskUser = async (_command, ask) => {
    asked.push(ask);
    return answer(ask);
  };
  beforeEach(async () => {
    asked = [];
    answer = () => ({ allow: true, scope: "directory" });
    askWaitMs = 60_000;
    place = await scratchHome();
    await mkdir(join(place.home, "other"));
    await writeFile(join(place.home, "other/secret"), "secret\n");
    await writeFile(join(place.home, "other/second"), "second\n");
    await symlink("../other/secret", join(place.project, "link"));
    const policy = await guardPolicy([place.project, place.temporary]);
    const admit = async () => {
      const confinement = confined(level, policy);
      return { confinement: { ...confinement, level: confinement.level | LEVEL_ASK, askWaitMs } };
    };
    app = await commandApp({ admit, askUser });
  });
  afterEach(async () => {
    await app[Symbol.asyncDispose]();
    await place[Symbol.asyncDispose]();
  });
  const shell = (command: string, more = {}) => run(app, { command, cwd: place.project, ...more });
  const other = (name: string) => join(place.home, "other", name);

  it("reading through a link asks for the real path, and goes on with what it was given", async () => {
    const ran = await shell("cat link && cat ../other/second && echo done");
    expect(ran.stderr.toString()).toBe("");
    expect(ran.stdout.toString()).toBe("secret\nsecond\ndone\n");
    expect(ran.end).toMatchObject({ exit: 0 });
    expect(ran.end?.blocked).toBeUndefined();
    expect(asked).toEqual([
      {
        id: expect.stringMatching(/^per_[A-Za-z0-9]{26}$/),
        path: other("secret"),
        kind: "file",
        access: "read",
        program: "cat",
        operation: "open",
      },
    ]);
    await shell("cat link");
    expect(asked).toHaveLength(2);
  });

  it("a reject is EACCES, once and for the rest of the command, and the record says what was blocked", async () => {
    answer = () => ({ allow: false, scope: "directory" });
    const ran = await shell("cat link; cat ../other/second; cat ../other/secret");
    expect(ran.stderr.toString().match(/Permission denied/g)).toHaveLength(3);
    expect(ran.end).toMatchObject({
      exit: 1,
      blocked: [
        { path: other("secret"), access: "read", operation: "open" },
        { path: other("second"), access: "read", operation: "open" },
      ],
    });
    expect(asked).toHaveLength(1);
  });

  it("an answer for a file is for that file alone", async () => {
    answer = ({ path }) => ({ allow: path.endsWith("secret"), scope: "file" });
    const ran = await shell("cat ../other/secret ../other/second");
    expect(ran.stdout.toString()).toBe("secret\n");
    expect(asked.map(({ path }) => path)).toEqual([other("secret"), other("second")]);
  });

  it("a new file outside is made with the umask of the command", async () => {
    const ran = await shell("umask 027; echo new > ../other/new; cat ../other/new; echo more >> ../other/new");
    expect(ran.stderr.toString()).toBe("");
    expect(asked).toMatchObject([{ path: other("new"), access: "write", kind: "file" }]);
    expect(await readFile(other("new"), "utf8")).toBe("new\nmore\n");
    expect((await stat(other("new"))).mode & 0o7777).toBe(0o640);
  });

  it("what cannot be handed over fails, and is in the record", async () => {
    await writeFile(other("tool"), "#!/bin/sh\necho ran\n");
    await chmod(other("tool"), 0o755);
    const ran = await shell("mkdir ../other/made; mv link ../other/moved; env ../other/tool; rm ../other/secret");
    expect(ran.stdout.toString()).toBe("");
    expect(asked).toEqual([]);
    expect(ran.end?.blocked).toEqual([
      { path: other("made"), access: "write", operation: "mkdir" },
      { path: other("moved"), access: "write", operation: "rename" },
      { path: other("tool"), access: "read", operation: "exec" },
      { path: other("secret"), access: "write", operation: "unlink" },
    ]);
  });

  it("forty readers of one directory are one ask, answered for all", async () => {
    for (let i = 0; i < 40; i++) await writeFile(other(`f${i}`), `${i}\n`);
    answer = async () => {
      await pause(100);
      return { allow: true, scope: "directory" };
    };
    const ran = await shell("for i in $(seq 0 39); do cat ../other/f$i & done; wait");
    expect(ran.stderr.toString()).toBe("");
    expect(
      ran.stdout
        .toString()
        .trim()
        .split("\n")
        .map(Number)
        .sort((a, b) => a - b),
    ).toEqual([...Array(40).keys()]);
    expect(asked).toHaveLength(1);
  });

  it("a program that wanders through the disk is asked about sixteen times, then refused", async () => {
    for (let i = 0; i < 20; i++) {
      await mkdir(other(`d${i}`));
      await writeFile(other(`d${i}/f`), `${i}\n`);
    }
    const ran = await shell("for i in $(seq 0 19); do cat ../other/d$i/f; done");
    expect(ran.stdout.toString().trim().split("\n")).toHaveLength(16);
    expect(asked).toHaveLength(16);
    expect(ran.end?.blocked?.map(({ path }) => path)).toEqual([16, 17, 18, 19].map((i) => other(`d${i}/f`)));
  });

  it("the time limit stands still while the user thinks", async () => {
    answer = async () => {
      await pause(1500);
      return { allow: true, scope: "file" };
    };
    const ran = await shell("cat link", { timeoutMs: 700 });
    expect(ran.end).toMatchObject({ exit: 0, timedOut: false });
    expect(ran.stdout.toString()).toBe("secret\n");
    const late = await shell("cat link; sleep 60", { timeoutMs: 700 });
    expect(late.end).toMatchObject({ timedOut: true });
    expect(late.stdout.toString()).toBe("secret\n");
  });

  it("where nobody is to be asked it is refused at once", async () => {
    askWaitMs = 0;
    const ran = await shell("cat link");
    expect(ran.end).toMatchObject({ exit: 1, blocked: [{ path: other("secret") }] });
    expect(asked).toEqual([]);
  });

  it("a command that is cancelled while it waits ends, and its ask with it", async () => {
    answer = () => new Promise<HeldAnswer>(() => undefined);
    const ran = shell("trap 'echo trapped; exit 3' TERM; cat link; echo on");
    while (asked.length === 0) await pause(10);
    for (const command of app.commands.list()) command.cancel("abort");
    expect((await ran).end).toMatchObject({ aborted: true });
    await Promise.all(app.commands.list().map((command) => command.settled));
    await expect(stat(join(app.folder, "commands", `${(await ran).end?.commandID}.asks`))).rejects.toThrow(/ENOENT/);
  });

  it("a process that ends while it waits takes its ask along", async () => {
    answer = () => new Promise<HeldAnswer>(() => undefined);
    const ran = await shell("timeout 0.3 cat link; echo status $?");
    expect(ran.stdout.toString()).toBe("status 124\n");
    expect(ran.end).toMatchObject({ exit: 0 });
  });

  it("a pipe outside is opened without holding up the rest of the command", async () => {
    execFileSync("mkfifo", [other("pipe")]);
    const ran = await shell("cat ../other/pipe & echo through > ../other/pipe; wait");
    expect(ran.stdout.toString()).toBe("through\n");
    expect(asked).toContainEqual(expect.objectContaining({ path: other("pipe"), access: "write" }));
  });
});
