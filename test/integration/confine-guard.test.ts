// Level `guard`: the helper traces its command (stub/native/confine/guard.h). What commands do goes on as ever, but for what is refused.
import { spawn } from "node:child_process";
import { chmod, link, mkdir, readFile, rm, symlink, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AskUser, HeldAnswer, HeldAsk } from "../../stub/commands/held-asks.js";
import { isAlive } from "../../stub/commands/watch.js";
import { type CommandApp, commandRequest, json, type Ran, run, send } from "../fixtures/command-app.js";
import { guard, guardedApp, guardPolicy, type Home, scratchHome } from "../fixtures/guarded.js";
import { guardedProgram } from "../fixtures/guarded-program.js";
import { cCompiler, helperBinary, onPath } from "../fixtures/helper-binary.js";
import { helperOf } from "../fixtures/helper-process.js";
import { onOlderKernel } from "../fixtures/older-kernel.js";
import { eventually, processName } from "../fixtures/processes.js";

const gcc = (await cCompiler()) !== undefined && (await onPath("gcc")) && (await onPath("bash"));
const KERNELS = ["this kernel", ...(process.arch === "x64" ? (["rhel8", "centos7"] as const) : [])] as const;
type Kernel = (typeof KERNELS)[number];

interface Bench extends Home {
  app: CommandApp;
  policy: Buffer;
  program: string;
}

/** The home, with `other/secret` beside the project and a link to it in there, and the app. */
async function bench(
  kernel: Kernel,
  options: { askUser?: AskUser } = {},
  askWaitMs = 0,
): Promise<Bench & AsyncDisposable> {
  const place = await scratchHome();
  const helper = kernel === "this kernel" ? undefined : join(place.home, "helper");
  if (helper !== undefined && kernel !== "this kernel") {
    const words = [...(await onOlderKernel(kernel)), await helperBinary()].map((word) => `'${word}'`);
    await writeFile(helper, `#!/bin/sh\nexec ${words.join(" ")} "$@"\n`, { mode: 0o755 });
  }
  const program = await guardedProgram();
  await mkdir(join(place.home, "other"));
  await writeFile(join(place.home, "other/secret"), "secret\n");
  await writeFile(join(place.project, "file"), "hello\n");
  await symlink("../other", join(place.project, "link"));
  const policy = await guardPolicy([place.project, place.temporary], { read: [join(program, "..")] });
  const app = await guardedApp(async () => guard(policy, askWaitMs), {
    graceMs: 300,
    ...(helper && { helper }),
    ...options,
  });
  return {
    ...place,
    app,
    policy,
    program,
    async [Symbol.asyncDispose]() {
      await app[Symbol.asyncDispose]();
      await place[Symbol.asyncDispose]();
    },
  };
}

const textOf = (ran: Ran) => ran.stdout.toString();

describe.skipIf(!gcc).each(KERNELS)("a command at level guard, on %s (needs gcc and bash)", (kernel) => {
  let b: Bench & AsyncDisposable;
  beforeAll(async () => {
    b = await bench(kernel);
  });
  afterAll(() => b[Symbol.asyncDispose]());
  const shell = (command: string, env: Record<string, string> = {}) =>
    run(b.app, { argv: ["bash", "-c", command], cwd: b.project, env: { HOME: b.home, TMPDIR: b.temporary, ...env } });

  it("reads and writes what is approved, and nothing is said to be blocked", async () => {
    const ran = await shell("cat file && echo new > made && cat made && mkdir -p a/b && mv made a/b/ && rm -r a");
    expect(ran.stderr.toString()).toBe("");
    expect(textOf(ran)).toBe("hello\nnew\n");
    expect(ran.end).toMatchObject({ state: "exited", exit: 0 });
    expect(ran.end?.blocked).toBeUndefined();
  });

  it("is refused what is not, which is named by its real path, once", async () => {
    const ran = await shell("cat ../other/secret; cat link/secret; echo x > link/new; cat link/../../other/secret");
    expect(textOf(ran)).toBe("");
    expect(ran.stderr.toString()).toMatch(/Permission denied/);
    expect(ran.end?.blocked).toEqual([
      { path: join(b.home, "other/secret"), access: "read", operation: "open" },
      { path: join(b.home, "other/new"), access: "write", operation: "open" },
    ]);
    expect(await readFile(join(b.home, "other/secret"), "utf8")).toBe("secret\n");
  });

  it("has the exit codes and signals that it has unconfined", async () => {
    for (const [command, end] of [
      ["exit 7", { state: "exited", exit: 7 }],
      ["kill -9 $$", { state: "killed", signal: "SIGKILL" }],
      ["kill -SEGV $$", { state: "killed", signal: "SIGSEGV" }],
      ["(exit 3); echo $?; (kill -TERM $BASHPID); echo $?; no-such-program; echo $?", { state: "exited", exit: 0 }],
    ] as const) {
      expect((await shell(command)).end).toMatchObject(end);
    }
    const trapped = await shell(
      "trap 'echo caught' USR1; kill -USR1 $$; trap 'echo bye' EXIT; sh -c 'exit 5'; echo $?",
    );
    expect(textOf(trapped)).toBe("caught\n5\nbye\n");
  });

  it("has job control: a stopped job is stopped, goes on, and is ended", async () => {
    const ran = await shell(
      "set -m; sleep 600 & kill -STOP %1; while ! jobs -s | grep -q sleep; do sleep 0.01; done; jobs -s | grep -c Stopped;" +
        "kill -CONT %1; while ! jobs -r | grep -q sleep; do sleep 0.01; done; jobs -r | grep -c Running; kill %1; wait %1; echo $?",
    );
    expect(textOf(ran)).toBe("1\n1\n143\n");
    expect(ran.end?.blocked).toBeUndefined();
  });

  it("may use a terminal of its own, with Ctrl-Z and Ctrl-C", async () => {
    const script = `
import os, pty, re, sys
pid, fd = pty.fork()
if pid == 0: os.execvp("bash", ["bash", "--norc", "-i"])
seen = b""
def expect(what):
    global seen
    while not re.search(what, seen): seen += os.read(fd, 4096)
    seen = re.split(what, seen, maxsplit=1)[-1]
def type(text): os.write(fd, text)
type(b"PS1='%'; echo rea''dy\\n"); expect(rb"ready")
type(b"echo g''o; cat\\n"); expect(rb"go\\r"); type(b"x\\n"); expect(rb"x\\r\\nx")
type(b"\\x1a"); expect(rb"Stopped")
type(b"echo ag''ain; fg\\n"); expect(rb"again\\r\\n.*cat\\r\\n"); type(b"y\\n"); expect(rb"y\\r\\ny")
type(b"\\x03"); expect(rb"C[^%]*%"); type(b"echo en''ded $?\\n"); expect(rb"ended 130")
type(b"exit 4\\n"); print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`;
    const ran = await run(b.app, {
      argv: ["python3", "-c", script],
      cwd: b.project,
      timeoutMs: 20_000,
      env: { HOME: b.home },
    });
    expect([textOf(ran), ran.stderr.toString()]).toEqual(["4\n", ""]);
  });

  it("refuses every one of 16 threads that open at once, and lets a thread execute", async () => {
    expect(textOf(await shell(`${b.program} threads 16 ../other/secret`))).toBe("1600\n");
    expect(textOf(await shell(`${b.program} threads 16 file`))).toBe("0\n");
    expect(textOf(await shell(`${b.program} thread-exec file`))).toBe("hello\n");
    const refused = await shell(`${b.program} thread-exec ../other/secret`);
    expect([textOf(refused), refused.end?.exit, refused.end?.blocked?.length]).toEqual(["", 1, 1]);
  });

  it("may use vfork", async () => {
    expect(textOf(await shell(`${b.program} vfork file; ${b.program} vfork ../other/secret; echo $?`))).toBe(
      "hello\n1\n",
    );
  });

  it("may compile, make, and run python and node", async () => {
    await writeFile(join(b.project, "Makefile"), "all: a b\n%: %.c\n\tgcc -o $@ $<\n");
    for (const name of ["a", "b"]) {
      await writeFile(
        join(b.project, `${name}.c`),
        `#include <stdio.h>\nint main(void) { puts("${name}"); return 0; }\n`,
      );
    }
    const node = kernel === "centos7" ? "true" : "node -p 1+1"; // node itself needs calls that 3.10 lacks
    const ran = await shell(`make -s -j2 && ./a && ./b && python3 -c 'import json, subprocess; print(1)' && ${node}`);
    expect(ran.stderr.toString()).toBe("");
    expect(textOf(ran)).toBe(`a\nb\n1\n${kernel === "centos7" ? "" : "2\n"}`);
    expect(ran.end?.blocked).toBeUndefined();
  });

  it("reads /dev/fd, /proc/self and what its own processes have open, as its own", async () => {
    const ran = await shell(
      "cat <(echo piped) /dev/stdin < file; cat /proc/self/cwd/file; readlink /proc/self/exe; cd /proc && cat self/cwd/self/comm;" +
        "sleep 600 & until grep -qx sleep $!/comm; do :; done; cat /proc/$!/environ | tr '\\0' '\\n' | grep -c ^HOME; kill $!",
    );
    expect(textOf(ran)).toBe("piped\nhello\nhello\n/usr/bin/readlink\ncat\n1\n");
    expect(ran.stderr.toString()).toBe("");
  });
});

describe.skipIf(!gcc)("level guard (needs gcc and bash)", () => {
  let b: Bench & AsyncDisposable;
  beforeAll(async () => {
    b = await bench("this kernel");
  });
  afterAll(() => b[Symbol.asyncDispose]());
  const shell = (command: string) =>
    run(b.app, { argv: ["bash", "-c", command], cwd: b.project, env: { HOME: b.home } });

  it("what fails anyway fails as ever, and is not said to be blocked", async () => {
    const script = `mkdir -p ${b.home}/other ../other; rm -f ../other/none; rmdir ../none; ls ../none; cat ../none; mv ../none x;
      test -e ../other/secret && echo there; cat ../other/secret/x`;
    const ran = await shell(script);
    expect(textOf(ran)).toBe("there\n");
    expect(ran.stderr.toString()).not.toMatch(/Permission denied/);
    expect(ran.end?.blocked).toBeUndefined();
  });

  it("processes that are not the command's own are neither signalled nor read; ps may look", async () => {
    const stranger = spawn("sleep", ["600"], { env: { STRANGER: "1" } });
    try {
      const ran = await shell(
        `kill ${stranger.pid}; echo $?; kill -- -${process.pid}; kill -9 -1; cat /proc/${stranger.pid}/environ;
         cat /proc/${stranger.pid}/root/etc/passwd /proc/${stranger.pid}/fd/0; ls /proc/${stranger.pid}/cwd/; ps -p ${stranger.pid} -o comm=`,
      );
      expect(textOf(ran)).toBe("1\nsleep\n");
      expect(stranger.exitCode ?? stranger.signalCode).toBe(null);
      const named = ran.end?.blocked?.map(
        ({ path, operation }) => `${operation} ${path.replace(String(stranger.pid), "PID")}`,
      );
      expect(named).toEqual(expect.arrayContaining(["kill /proc/PID", "kill /proc"]));
    } finally {
      stranger.kill("SIGKILL");
    }
  });

  it("a unix socket is reached where its path is approved, a foreign one not", async () => {
    const listen = (path: string) => `import socket,sys
s = socket.socket(socket.AF_UNIX); s.bind("${path}"); s.listen(); print("listening", flush=True); c, _ = s.accept(); c.sendall(b"hi")`;
    const connect = (path: string) => `import socket
s = socket.socket(socket.AF_UNIX); s.connect("${path}"); print(s.recv(9))`;
    const foreign = spawn("python3", ["-c", listen(join(b.home, "other/sock"))], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    try {
      await new Promise((resolve) => foreign.stdout.once("data", resolve));
      const ran = await shell(
        `python3 -c '${listen("sock")}' & until [ -e sock ]; do sleep 0.01; done; python3 -c '${connect("sock")}'; wait
         python3 -c '${connect("../other/sock")}'; python3 -c '${listen("../other/mine")}'; python3 -c '${connect("\\0abstract")}'`,
      );
      expect(textOf(ran)).toBe("listening\nb'hi'\n");
      expect(ran.end?.blocked).toEqual([
        { path: join(b.home, "other/sock"), access: "write", operation: "connect" },
        { path: join(b.home, "other/mine"), access: "write", operation: "bind" },
        { path: "@abstract", access: "write", operation: "connect" },
      ]);
    } finally {
      foreign.kill("SIGKILL");
    }
  });

  it("a program may not be traced, nor leave by a namespace", async () => {
    const attach = "import ctypes; print(ctypes.CDLL(None, use_errno=True).ptrace(0, 0, 0, 0), ctypes.get_errno())";
    const ran = await shell(`python3 -c '${attach}'; unshare -r true; echo $?`);
    expect(textOf(ran)).toBe("-1 1\n1\n");
  });

  it("what is refused before anything ran is the command's failure to start", async () => {
    await writeFile(join(b.home, "other/tool"), "#!/bin/sh\necho ran\n", { mode: 0o755 });
    const ran = await run(b.app, { argv: [join(b.home, "other/tool")], cwd: b.project });
    expect(ran.error).toMatchObject({ code: "spawn_failed" });
  });

  it("an approved directory that was replaced since runs nothing", async () => {
    await using place = await scratchHome();
    const policy = await guardPolicy([place.project]);
    await rm(place.project, { recursive: true });
    await symlink(join(b.home, "other"), place.project);
    await using app = await guardedApp(async () => guard(policy));
    const ran = await run(app, { command: `cat ${place.project}/secret`, cwd: place.home });
    expect(ran.error).toMatchObject({ code: "confine_failed" });
  });

  it("a cancel ends the whole tree: stopped jobs, other sessions, and what forks faster than anybody can look", async () => {
    const request = commandRequest({
      argv: [
        "bash",
        "-c",
        `sleep 600 & kill -STOP $!; setsid sh -c 'trap "" TERM; sleep 600' & ${b.program} rabbit 4; sleep 600`,
      ],
      cwd: b.project,
    });
    await json(await send(b.app, "POST", "/command", request));
    const helper = await helperOf(b.app, request.commandID);
    await sleep(500);
    const status = await readFile(`/proc/${helper.pid}/status`, "utf8");
    expect(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1])).toBeLessThan(8192); // thousands of processes came and went
    const command = b.app.commands.get(request.commandID);
    command?.cancel("abort");
    expect(await command?.settled).toMatchObject({ state: "killed", aborted: true, survivors: [] });
  });

  it("a time limit holds while a command forks and opens without end", async () => {
    const busy = `while :; do cat ../other/secret; done 2> /dev/null & ${b.program} threads 16 file > /dev/null; ${b.program} rabbit 2; sleep 600`;
    const ran = await run(b.app, { argv: ["bash", "-c", busy], cwd: b.project, timeoutMs: 700 });
    expect(ran.end).toMatchObject({ state: "killed", timedOut: true });
    expect(await b.app.commands.get(ran.end?.commandID ?? "")?.settled).toMatchObject({ survivors: [] });
  });

  it("what a shell leaves behind goes on, and is still held", async () => {
    const gate = join(b.project, "gate");
    const ran = await shell(
      `(until [ -e gate ]; do sleep 0.02; done; cat file; cat ../other/secret) 2>&1 & echo early`,
    );
    expect(ran.end).toMatchObject({ state: "exited", exit: 0 });
    expect(ran.end?.pending).toBeGreaterThan(0);
    await writeFile(gate, "");
    const command = b.app.commands.get(ran.end?.commandID ?? "");
    expect(await command?.settled).toMatchObject({
      survivors: [],
      blocked: [{ path: join(b.home, "other/secret"), access: "read", operation: "open" }],
    });
    expect((await readFile(join(b.app.folder, "commands", `${ran.end?.commandID}.stdout`))).toString()).toMatch(
      /^early\nhello\n.*Permission denied\n$/,
    );
  });

  it("a helper that is killed takes all that it traced with it", async () => {
    const request = commandRequest({ argv: ["bash", "-c", "setsid sleep 600 & echo $!; wait"], cwd: b.project });
    await json(await send(b.app, "POST", "/command", request));
    const helper = await helperOf(b.app, request.commandID);
    const log = join(b.app.folder, "commands", `${request.commandID}.stdout`);
    const pid = Number(await eventually("the pid", () => readFile(log, "utf8").catch(() => undefined)));
    const sleeper = await processName(pid);
    expect(sleeper && isAlive(sleeper)).toBe(true);
    process.kill(helper.pid, "SIGKILL");
    await eventually("its end", () => sleeper !== undefined && !isAlive(sleeper));
    expect(await b.app.commands.get(request.commandID)?.settled).toMatchObject({ state: "lost" });
  });
});

describe.skipIf(!gcc).each(KERNELS)("asking at level guard, on %s (needs gcc and bash)", (kernel) => {
  const asked: HeldAsk[] = [];
  let answer: (ask: HeldAsk) => Promise<HeldAnswer | undefined>;
  let b: Bench & AsyncDisposable;
  beforeAll(async () => {
    const askUser: AskUser = {
      ending: new AbortController().signal,
      ask(_command, ask) {
        asked.push(ask);
        return answer(ask);
      },
    };
    b = await bench(kernel, { askUser }, 60_000);
  });
  afterAll(() => b[Symbol.asyncDispose]());
  const shell = (command: string, timeoutMs?: number) => {
    asked.length = 0;
    return run(b.app, { argv: ["bash", "-c", command], cwd: b.project, env: { HOME: b.home }, timeoutMs });
  };
  const allow = async (): Promise<HeldAnswer> => ({ allow: true, scope: "file" });

  it("the command goes on where it was when the answer is yes, and is not asked again", async () => {
    answer = allow;
    const ran = await shell("cat ../other/secret ../other/secret; cat link/secret");
    expect(textOf(ran)).toBe("secret\nsecret\nsecret\n");
    expect(ran.end?.blocked).toBeUndefined();
    expect(asked).toMatchObject([{ path: join(b.home, "other/secret"), access: "read", kind: "file", program: "cat" }]);
  });

  it("fails and is named where it is no; reading is not writing", async () => {
    answer = async (ask) => ({ allow: ask.access === "read", scope: "file" });
    const ran = await shell("cat ../other/secret; echo x >> ../other/secret; echo x >> ../other/secret");
    expect(textOf(ran)).toBe("secret\n");
    expect(ran.end?.blocked).toEqual([{ path: join(b.home, "other/secret"), access: "write", operation: "open" }]);
    expect(asked.map(({ access }) => access)).toEqual(["read", "write"]);
  });

  it("asks about what cannot be handed over at other levels, too: rename (both its names), mkdir, chmod, exec", async () => {
    answer = async () => ({ allow: true, scope: "directory" });
    await writeFile(join(b.home, "other/tool"), "#!/bin/sh\necho ran\n");
    await mkdir(join(b.home, "third"));
    const ran = await shell(
      "chmod 755 ../other/tool && ../other/tool && mkdir ../other/made && mv ../other/tool ../third/tool && ls ../other ../third",
    );
    expect(ran.stderr.toString()).toBe("");
    expect(textOf(ran)).toBe("ran\n../other:\nmade\nsecret\n\n../third:\ntool\n");
    expect(asked.map(({ path, access }) => `${access} ${path.slice(b.home.length)}`)).toEqual([
      "write /other/tool",
      "write /third/tool",
    ]);
  });

  it("one task waits while the others go on, and the time limit stands still", async () => {
    let release: () => void = () => undefined;
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    answer = async () => {
      await released;
      return { allow: true, scope: "file" };
    };
    const running = shell(
      "cat ../other/secret & for i in 1 2 3; do cat file; done; echo > going; wait; cat file",
      1500,
    );
    await eventually("the others", () => readFile(join(b.project, "going")).catch(() => undefined));
    await eventually("the ask", () => asked.length === 1);
    await sleep(2000); // longer than the time limit
    release();
    const ran = await running;
    expect(ran.end).toMatchObject({ exit: 0, timedOut: false });
    expect(textOf(ran)).toBe("hello\nhello\nhello\nsecret\nhello\n");
    await unlink(join(b.project, "going"));
  });

  it("a task that is killed while it waits is waited for no more; a cancel ends one that waits", async () => {
    answer = () => new Promise(() => undefined);
    const ran = await shell("cat ../other/secret & sleep 0.3; kill -9 $!; wait $!; echo $?");
    expect(textOf(ran)).toBe("137\n");
    const request = commandRequest({ argv: ["cat", join(b.home, "other/secret")], cwd: b.project });
    await json(await send(b.app, "POST", "/command", request));
    await eventually("the ask", () => asked.length === 2);
    const command = b.app.commands.get(request.commandID);
    command?.cancel("abort");
    expect(await command?.settled).toMatchObject({ state: "killed", survivors: [] });
  });
});

describe.skipIf(!gcc)("what level guard does not hold (needs gcc and bash)", () => {
  let b: Bench & AsyncDisposable;
  beforeAll(async () => {
    b = await bench("this kernel");
  });
  afterAll(() => b[Symbol.asyncDispose]());
  const shell = (command: string) =>
    run(b.app, { argv: ["bash", "-c", command], cwd: b.project, env: { HOME: b.home } });

  it("race: a thread that changes the path between the look and the call gets through, so it is no boundary", async () => {
    await symlink(join(b.home, "other/secret"), join(b.project, "fil_"));
    const honest = await shell("cat fil_");
    expect([textOf(honest), honest.end?.blocked?.length]).toEqual(["", 1]);
    const ran = await shell(`${b.program} flip ./file ./fil_ 20000`);
    expect(Number(textOf(ran))).toBeGreaterThan(0);
  });

  it("stat, proc-cmdline: what lies outside is seen, not read", async () => {
    await chmod(join(b.home, "other/secret"), 0o600);
    const ran = await shell(`stat -c %s ../other/secret; tr '\\0' ' ' < /proc/${process.pid}/cmdline | wc -w`);
    expect(textOf(ran).split("\n")[0]).toBe("7");
    expect(Number(textOf(ran).split("\n")[1])).toBeGreaterThan(0);
  });

  it("pre-existing-hard-links: a name that was there before is the project's", async () => {
    await link(join(b.home, "other/secret"), join(b.project, "hard"));
    expect(textOf(await shell("cat hard"))).toBe("secret\n");
  });
});
