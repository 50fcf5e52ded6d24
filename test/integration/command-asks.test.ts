// A running command that wants what was not approved waits, is asked for, and goes on. The user is a function here; live-asks.test.ts
// has the whole way through the stub.
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { chmod, copyFile, mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { connectBeside } from "../../stub/commands/beside.js";
import type { AskUser, HeldAnswer, HeldAsk } from "../../stub/commands/held-asks.js";
import { type CommandApp, commandApp, run } from "../fixtures/command-app.js";
import { compileOnce } from "../fixtures/compile-once.js";
import { guardPolicy, type Home, scratchHome } from "../fixtures/guarded.js";
import { cCompiler } from "../fixtures/helper-binary.js";
import { confined, type Level } from "../fixtures/levels.js";
import { eventually } from "../fixtures/workbench.js";

const LEVEL_ASK = 8;
const compiler = await cCompiler();
const levels: Level[] = ["landlock", "mount+landlock", "mount"];

/** Connects as a stub does; the first line that it is told. */
async function listen(base: string) {
  const socket = await connectBeside(base, ".asks");
  if (socket === undefined) throw new Error("nobody listens");
  const closed = once(socket, "close");
  const [line] = (await once(createInterface({ input: socket }), "line")) as [string];
  return { socket, line, closed };
}

describe.skipIf(compiler === undefined).each(levels)("at level %s (needs a C compiler)", (level) => {
  let place: Home & AsyncDisposable;
  let app: CommandApp;
  let asked: HeldAsk[];
  let answer: (ask: HeldAsk) => Promise<HeldAnswer> | HeldAnswer;
  let askWaitMs: number;
  let confine: () => Promise<object>;
  const askUser: AskUser = {
    async ask(_command, ask) {
      asked.push(ask);
      return answer(ask);
    },
    ending: new AbortController().signal,
  };
  /** At `mount` alone nothing would keep a command from writing to what it was given to read, so that is what is asked. */
  const reading =
    level === "mount"
      ? { access: "write" as const, operation: "read" }
      : { access: "read" as const, operation: "open" };
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
    confine = async () => {
      const confinement = confined(level, policy);
      return { confinement: { ...confinement, level: confinement.level | LEVEL_ASK, askWaitMs } };
    };
    app = await commandApp({ admit: confine, askUser });
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
        program: "cat",
        ...reading,
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
        { path: other("secret"), ...reading },
        { path: other("second"), ...reading },
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

  it("a directory outside is listed, and what it holds read; not at mount alone, where it would be a door", async () => {
    // not ls: it looks before it opens, and in a view nothing is there
    const list = `python3 -c 'import os; print(*sorted(os.listdir("../other")), sep="\\n")'`;
    const ran = await shell(`${list} && cat ../other/second && cd ../other && cat second`);
    if (level === "mount") {
      expect(ran.stdout.toString()).toBe("");
      expect(asked).toEqual([]);
      return;
    }
    const seen = "second\nsecret\nsecond\n";
    // there is nothing to go to in a view
    expect(ran.stdout.toString()).toBe(level === "landlock" ? `${seen}second\n` : seen);
    expect(asked).toMatchObject([{ path: join(place.home, "other"), kind: "directory", access: "read" }]);
  });

  it("a directory of the host, once given, is no way to change what lies beyond the view", async () => {
    const script = `import os
try:
    fd = os.open("../other", os.O_RDONLY)
except OSError:
    raise SystemExit
for change in (
    lambda: os.chmod("secret", 0o666, dir_fd=fd),
    lambda: os.utime("secret", (1, 1), dir_fd=fd),
    lambda: os.open("../project/../other/second", os.O_WRONLY, dir_fd=fd),
    lambda: os.mkdir("made", dir_fd=fd),
):
    try:
        change()
        print("changed")
    except OSError as error:
        print("refused")
`;
    answer = ({ access }) => ({ allow: access === "read", scope: "directory" });
    const before = await stat(other("secret"));
    await writeFile(join(place.project, "change.py"), script);
    const ran = await shell("python3 change.py");
    expect(ran.stdout.toString()).toBe(level === "mount" ? "" : "refused\n".repeat(4));
    const after = await stat(other("secret"));
    expect([after.mode, after.mtimeMs]).toEqual([before.mode, before.mtimeMs]);
  });

  it("unix sockets are connected to inside what is approved, and not outside", async () => {
    const script = `import os, socket
def attempt(name, address, kind=socket.SOCK_STREAM):
    try:
        socket.socket(socket.AF_UNIX, kind).connect(address)
        print(name, "connected")
    except OSError as error:
        print(name, "refused")
own = socket.socket(socket.AF_UNIX)
own.bind("own.sock")
own.listen(5)
attempt("own", "own.sock")
attempt("absolute", os.path.realpath("own.sock"))
attempt("outside", "../other/sock")
attempt("link", "sock-link")
attempt("abstract", "\\0ocrs-ask-test")
attempt("datagram", "own.sock", socket.SOCK_DGRAM)
net = socket.create_server(("127.0.0.1", 0))
socket.create_connection(net.getsockname())
print("net connected")
`;
    await writeFile(join(place.project, "connect.py"), script);
    await symlink("../other/sock", join(place.project, "sock-link"));
    const servers: Server[] = [];
    for (const path of [other("sock"), "\0ocrs-ask-test"]) {
      const server = createServer().listen(path);
      await once(server, "listening");
      servers.push(server);
    }
    const ran = await shell("python3 connect.py 2>&1");
    for (const server of servers) server.close();
    const lines = ["own connected", "absolute connected", "outside refused", "link refused", "abstract refused"];
    expect(ran.stdout.toString().trim().split("\n")).toEqual([...lines, "datagram refused", "net connected"]);
    const socket = { path: other("sock"), access: "write", operation: "connect" };
    if (level === "landlock") expect(ran.end?.blocked).toContainEqual(socket);
  });

  it("a path that flips in 20,000 opens leads to nothing outside", { timeout: 120_000 }, async () => {
    const flip = await compileOnce("flip", join(import.meta.dirname, "../fixtures/native/flip"), {
      compiler: compiler as string,
      flags: ["-static", "-pthread"],
    });
    await copyFile(flip, join(place.project, "flip"));
    await writeFile(join(place.project, "own"), "own\n");
    answer = () => ({ allow: false, scope: "file" });
    const ran = await shell("./flip 20000 own ../other/secret");
    expect(ran.stdout.toString()).toBe("0 of 20000\n");
    const leaks = execFileSync(flip, ["60000", "own", "../other/secret"], { cwd: place.project, encoding: "utf8" });
    expect(Number.parseInt(leaks, 10)).toBeGreaterThan(0);
  });

  it("a helper that is killed lets nothing through", async () => {
    const script = `import os, socket, time
result = open("result", "w")
helper = os.getppid()
print(helper, flush=True)
while os.getppid() == helper:
    time.sleep(0.01)
for attempt in (lambda: open("../other/secret"), lambda: socket.socket(socket.AF_UNIX).connect("../other/sock"), lambda: os.chmod("../other/secret", 0o666)):
    try:
        attempt()
        result.write("done ")
    except OSError:
        result.write("refused ")
result.close()
`;
    await writeFile(join(place.project, "orphan.py"), script);
    const server = createServer().listen(other("sock"));
    await once(server, "listening");
    let connected = 0;
    server.on("connection", () => connected++);
    const ran = shell("exec python3 orphan.py");
    const helper = await eventually(async () => {
      const [command] = app.commands.list();
      const id = command?.commandID;
      const text =
        id === undefined ? "" : await readFile(join(app.folder, "commands", `${id}.stdout`), "utf8").catch(() => "");
      if (!text.endsWith("\n")) return undefined;
      const record = await readFile(join(app.folder, "commands", `${id}.run`), "utf8");
      return (JSON.parse(record.split("\n")[2] ?? "") as { pid: number }).pid;
    });
    process.kill(helper, "SIGKILL");
    expect((await ran).end).toMatchObject({ state: "lost" });
    if (level === "landlock") {
      const result = () => readFile(join(place.project, "result"), "utf8");
      await eventually(async () => ((await result()) === "" ? undefined : true));
      expect(await result()).toBe("refused refused refused ");
    }
    server.close();
    expect(connected).toBe(0);
  });

  it("what no stub takes is refused after a while", async () => {
    askWaitMs = 300;
    await using lonely = await commandApp({ admit: confine });
    const ran = await run(lonely, { command: "cat link", cwd: place.project });
    expect(ran.end).toMatchObject({ exit: 1, blocked: [{ path: other("secret") }] });
  });

  it("two who listen are told the same, one after the other; what makes no sense is passed over", async () => {
    await using lonely = await commandApp({ admit: confine });
    const ran = run(lonely, { command: "cat link", cwd: place.project });
    const base = await eventually(async () => {
      const [socket] = (await readdir(join(lonely.folder, "commands"))).filter((name) => name.endsWith(".asks"));
      return socket === undefined ? undefined : join(lonely.folder, "commands", socket.slice(0, -".asks".length));
    });
    const first = await listen(base);
    const second = await listen(base);
    expect(second.line).toBe(first.line);
    await first.closed;
    const { id } = JSON.parse(first.line) as { id: string };
    const nonsense = ["nonsense", "allow", `allow ${id}`, "allow per_unknown file", `allow ${id} everything`];
    second.socket.write([...nonsense, `deny ${id} file`, `allow ${id} file`, ""].join("\n"));
    expect((await ran).end).toMatchObject({ exit: 1 });
    second.socket.destroy();
  });

  it("a pipe outside is opened without holding up the rest of the command", async () => {
    execFileSync("mkfifo", [other("pipe")]);
    const ran = await shell("cat ../other/pipe & echo through > ../other/pipe; wait");
    expect(ran.stdout.toString()).toBe("through\n");
    expect(asked).toContainEqual(expect.objectContaining({ path: other("pipe"), access: "write" }));
  });
});
