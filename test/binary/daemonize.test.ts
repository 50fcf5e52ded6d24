// `--daemonize` and `attach`: what the launcher does by itself on hosts that have no setsid(1), no nc(1), no forwarding.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { canBuild, reason } from "./fixtures/needs.js";
import { tiny } from "./fixtures/one-files.js";
import { outcome, run, said, scratch, until } from "./fixtures/run.js";

const tools = reason(canBuild, "gcc, g++, musl-gcc and patchelf");

describe.skipIf(!canBuild)(`--daemonize${tools}`, () => {
  const alive = (pid: number) => {
    try {
      return process.kill(pid, 0);
    } catch {
      return false;
    }
  };

  async function started(root: string, ...args: string[]) {
    const path = join(root, "bin/opencode-remote-ssh-stub");
    await tiny({ path, version: "1.0.0" });
    const report = join(root, "report");
    // As sshd does it: a shell that leads a session, with pipes, some descriptors too many, and an end that kills the session.
    const script = 'exec 7</dev/null; "$0" --daemonize "$@"; echo "status $?"; exec sleep 600';
    const shell = spawn("setsid", ["sh", "-c", script, path, "--write", report, "--sleep", "600", ...args], {
      stdio: ["pipe", "pipe", "pipe"],
      env: { PATH: "/usr/bin:/bin" },
    });
    await until("the launcher returned", () => (shell.stdout.readableLength > 0 ? true : undefined));
    const status = String(shell.stdout.read());
    const text = await until("the daemon reports", () => readFile(report, "utf8").catch(() => undefined));
    return { shell, status, tell: said(text) };
  }

  it("returns 0 when the stub runs; the stub outlives the session that started it", async () => {
    await using home = await scratch();
    const { shell, status, tell } = await started(home.path);
    const pid = Number(tell("pid")[0]);
    try {
      expect(status).toBe("status 0\n");
      expect(tell("cwd")).toEqual(["/"]);
      expect(tell("sid")).not.toEqual([String(shell.pid)]);
      expect(tell("sid")).not.toEqual(tell("pid"));
      expect(tell("arg").slice(1)).toEqual(["--write", join(home.path, "report"), "--sleep", "600"]);
      process.kill(-(shell.pid ?? 0), "SIGHUP");
      process.kill(-(shell.pid ?? 0), "SIGKILL");
      await outcome(shell); // its pipes are closed: the daemon holds none of them
      expect(alive(pid)).toBe(true);
    } finally {
      process.kill(pid, "SIGKILL");
      shell.kill("SIGKILL");
    }
  });

  it("inherits nothing but the log, and the lock on its own parts", async () => {
    await using home = await scratch();
    const { shell, tell } = await started(home.path);
    try {
      const log = join(home.path, "log/stub.log");
      const [parts = ""] = tell("env").filter((variable) => variable.startsWith("OPENCODE_REMOTE_SSH_PARTS="));
      const complete = `${parts.slice(parts.indexOf("=") + 1)}/complete`;
      expect(tell("fd")).toEqual(["0 /dev/null", `1 ${log}`, `2 ${log}`, `3 ${complete}`]);
      await until("the log is written", async () => ((await stat(log)).size > 0 ? true : undefined));
      expect(await readFile(log, "utf8")).toBe("the stub says hello\n");
      expect((await stat(log)).mode & 0o777).toBe(0o600);
      expect((await stat(join(home.path, "log"))).mode & 0o777).toBe(0o700);
    } finally {
      process.kill(Number(tell("pid")[0]), "SIGKILL");
      shell.kill("SIGKILL");
    }
  });

  it("appends to the log that --log-file names", async () => {
    await using home = await scratch();
    const log = join(home.path, "else/where.log");
    await mkdir(join(home.path, "else"));
    await writeFile(log, "before\n");
    const { shell, tell } = await started(home.path, "--log-file", log);
    try {
      const text = await until("the log grew", async () => {
        const now = await readFile(log, "utf8");
        return now.length > 7 ? now : undefined;
      });
      expect(text).toBe("before\nthe stub says hello\n");
    } finally {
      process.kill(Number(tell("pid")[0]), "SIGKILL");
      shell.kill("SIGKILL");
    }
  });

  it("tells when the stub cannot be executed, instead of returning 0", async () => {
    await using home = await scratch();
    const path = join(home.path, "bin/opencode-remote-ssh-stub");
    await tiny({ path, version: "1.0.0", program: Buffer.from("no program") });
    const result = await run(path, ["--daemonize"]);
    expect(result).toMatchObject({ code: 76, stdout: "" });
    expect(result.stderr).toMatch(/^error platform_unsupported: .*\/stub\n$/);
  });

  it("started without stdin, stdout and stderr, the stub has no file of ours in their place", async () => {
    await using home = await scratch();
    const path = join(home.path, "bin/opencode-remote-ssh-stub");
    await tiny({ path, version: "1.0.0" });
    const report = join(home.path, "report");
    await run("sh", ["-c", 'exec "$0" --write "$1" <&- >&- 2>&-', path, report]);
    const fds = said(await readFile(report, "utf8"))("fd");
    expect(fds.slice(0, 3)).toEqual(["0 /dev/null", "1 /dev/null", "2 /dev/null"]);
  });

  it("tells when the log cannot be written", async () => {
    await using home = await scratch();
    const path = join(home.path, "bin/opencode-remote-ssh-stub");
    await tiny({ path, version: "1.0.0" });
    await mkdir(join(home.path, "log/stub.log"), { recursive: true });
    const result = await run(path, ["--daemonize"]);
    expect(result).toMatchObject({ code: 70, stderr: expect.stringMatching(/log\/stub\.log: Is a directory\n$/) });
  });
});

describe.skipIf(!canBuild)(`attach${tools}`, () => {
  interface Served extends AsyncDisposable {
    root: string;
    path: string;
    file: string;
  }

  /** A server on `run/stub.sock`, and the file beside it. Half-open: each side ends its direction by itself. */
  async function served(onConnection: (socket: Socket) => void, socketName = "run/stub.sock"): Promise<Served> {
    const home = await scratch();
    const file = join(home.path, "bin/opencode-remote-ssh-stub");
    await tiny({ path: file, version: "1.0.0" });
    await mkdir(join(home.path, "run"));
    const path = join(home.path, socketName);
    const server = createServer({ allowHalfOpen: true }, onConnection).listen(path);
    await once(server, "listening");
    return {
      root: home.path,
      path,
      file,
      [Symbol.asyncDispose]: async () => {
        server.close();
        await home[Symbol.asyncDispose]();
      },
    };
  }
  const attach = (file: string) => spawn(file, ["attach"], { env: {} });

  it("carries bytes both ways, megabytes of them, unchanged", async () => {
    await using host = await served((socket) => socket.pipe(socket));
    const child = attach(host.file);
    const sent = Buffer.alloc(8 * 1024 * 1024, 0).map((_, index) => (index * 31 + (index >> 13)) % 256);
    const received: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => received.push(chunk));
    child.stdin.end(sent);
    const [code] = await once(child, "close");
    expect(code).toBe(0);
    expect(Buffer.concat(received).equals(sent)).toBe(true);
  });

  it("unpacks nothing", async () => {
    await using host = await served((socket) => socket.end("hello"));
    expect(await run(host.file, ["attach"])).toMatchObject({ code: 0, stdout: "hello", stderr: "" });
    await expect(stat(join(host.root, "bin/.lock"))).rejects.toThrow("ENOENT");
  });

  it("passes on the end of its input, and still brings the answer", async () => {
    await using host = await served((socket) => {
      let text = "";
      socket.on("data", (chunk) => {
        text += chunk;
      });
      socket.on("end", () => setTimeout(() => socket.end(`got ${text}`), 50));
    });
    const child = attach(host.file);
    child.stdin.end("question");
    expect(await outcome(child)).toMatchObject({ code: 0, stdout: "got question" });
  });

  it("passes on the end of the answer, and still takes input", async () => {
    const heard: Buffer[] = [];
    await using host = await served((socket) => {
      socket.end("that is all");
      socket.on("data", (chunk: Buffer) => heard.push(chunk));
    });
    const child = attach(host.file);
    child.stdout.resume();
    await once(child.stdout, "end");
    child.stdin.write("one more");
    await until("the server heard it", () => (heard.length > 0 ? true : undefined));
    expect(child.exitCode).toBeNull();
    child.stdin.end();
    expect((await once(child, "close"))[0]).toBe(0);
    expect(Buffer.concat(heard).toString()).toBe("one more");
  });

  it("ends when the stub has closed, even if its input stays open", async () => {
    await using host = await served((socket) => {
      socket.write("bye");
      socket.once("data", () => socket.destroy());
    });
    const child = attach(host.file);
    child.stdin.write("go");
    expect(await outcome(child)).toMatchObject({ code: 0, stdout: "bye" });
  });

  it("ends when nobody reads its output any more", async () => {
    await using host = await served((socket) => {
      socket.on("error", () => undefined);
      const more = () => {
        while (socket.writable && socket.write(Buffer.alloc(65536)));
      };
      socket.on("drain", more);
      more();
    });
    const child = attach(host.file);
    await once(child.stdout, "readable");
    child.stdout.destroy();
    expect((await once(child, "exit"))[0]).toBe(0);
  });

  it("finds the socket that stub.json names, spaces and quotes in its path included", async () => {
    await using host = await served((socket) => socket.end("found"), 'a "quoted" one.sock');
    await writeFile(join(host.root, "run/stub.json"), JSON.stringify({ pid: 1, socket: host.path, port: 2 }));
    expect(await run(host.file, ["attach"])).toMatchObject({ code: 0, stdout: "found" });
  });

  it("takes --socket before everything else", async () => {
    await using host = await served((socket) => socket.end("named"), "other.sock");
    expect(await run(host.file, ["attach", "--socket", host.path])).toMatchObject({ code: 0, stdout: "named" });
  });

  it("says who is missing when nobody listens", async () => {
    await using home = await scratch();
    const file = join(home.path, "bin/opencode-remote-ssh-stub");
    await tiny({ path: file, version: "1.0.0" });
    const result = await run(file, ["attach"]);
    expect(result).toMatchObject({ code: 69, stdout: "" });
    expect(result.stderr).toMatch(
      /^error stub_missing: nothing answers at .*\/run\/stub\.sock: No such file or directory\n$/,
    );
  });
});
