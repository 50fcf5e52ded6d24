// The process: one per install root, found by its files, gone without a trace.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { access, chmod, mkdir, mkdtemp, readdir, readFile, realpath, rm, stat, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { newID } from "../../protocol/ids.js";
import type { StubJson } from "../../protocol/install.js";
import { PROTOCOL } from "../../protocol/version.js";
import { acquireLock } from "../../stub/instance-lock.js";
import { startStub, stubParts } from "../fixtures/stub.js";
import { describe } from "../fixtures/with-compiler.js";
import { eventually } from "../fixtures/workbench.js";

const ENTRY = join(import.meta.dirname, "../../stub/main.ts");

let folder: string;
beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "ocrs-process-")));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function run(args: string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, ["--import", "tsx", ENTRY, ...args], {
    env: { ...process.env, HOME: folder, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const said = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const) {
    child[stream].on("data", (chunk: Buffer) => {
      said[stream] += chunk.toString();
    });
  }
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, ...said };
}

function healthOver(socketPath: string, token: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { host: "stub", authorization: `Bearer ${token}` };
    request({ socketPath, path: "/global/health", headers }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    })
      .on("error", reject)
      .end();
  });
}

describe("starting", () => {
  it("announces itself once it listens: stub.json and stub.pid name this very process, both doors are open", async () => {
    await using stub = await startStub();
    const announced = JSON.parse(await readFile(join(stub.installRoot, "run/stub.json"), "utf8")) as StubJson;
    expect(announced).toMatchObject({
      pid: stub.process.pid,
      port: stub.json.port,
      socket: stub.socket,
      protocol: PROTOCOL,
    });
    const fields = (await readFile(`/proc/${stub.pid}/stat`, "latin1")).replace(/^.*\) /s, "").split(" ");
    expect(announced.startTime).toBe(fields[19]);
    expect(await readFile(join(stub.installRoot, "run/stub.pid"), "utf8")).toBe(`${stub.pid}\n`);
    expect((await stub.fetch("/global/health")).status).toBe(200);
    expect(await healthOver(stub.socket, stub.token)).toBe(200);
  });

  it("a second start finds the first, says so and is content; the first goes on", async () => {
    await using stub = await startStub();
    const parts = await stubParts(join(folder, "parts"));
    const second = await run(["--install-root", stub.installRoot], { OPENCODE_REMOTE_SSH_PARTS: parts });
    expect(second).toMatchObject({ code: 0, stderr: "" });
    expect(JSON.parse(second.stdout)).toMatchObject({ status: "running", instanceID: stub.instanceID, pid: stub.pid });
    expect((await stub.fetch("/global/health")).status).toBe(200);
  });

  it("five starts at once become one stub", async () => {
    const parts = await stubParts(join(folder, "parts"));
    const root = join(folder, "root");
    const args = ["--install-root", root, "--idle-exit", "4"];
    const results = await Promise.all(Array.from({ length: 5 }, () => run(args, { OPENCODE_REMOTE_SSH_PARTS: parts })));
    const lines = results.map(({ stdout, stderr }) => [stderr, JSON.parse(stdout.split("\n")[0] ?? "")] as const);
    expect(lines.map(([stderr]) => stderr)).toEqual(["", "", "", "", ""]);
    expect(lines.map(([, { status }]) => status).sort()).toEqual([
      "running",
      "running",
      "running",
      "running",
      "started",
    ]);
    expect(new Set(lines.map(([, { instanceID }]) => instanceID)).size).toBe(1);
  });

  it("after kill -9 the next one takes over at once: a dead process holds no lock, a socket file is no obstacle", async () => {
    const root = join(folder, "root");
    const first = await startStub({ installRoot: root });
    await first.stop("SIGKILL");
    expect(await readdir(join(root, "run"))).toEqual(
      expect.arrayContaining(["stub.json", "stub.lock", "stub.pid", "stub.sock"]),
    );
    await using second = await startStub({ installRoot: root });
    expect(second.instanceID).not.toBe(first.instanceID);
    expect(second.token).toBe(first.token);
    expect(await healthOver(second.socket, second.token)).toBe(200);
  });

  it("a pid that was given to another process holds no lock either", async () => {
    const path = join(folder, "stub.lock");
    const boot = (await readFile("/proc/sys/kernel/random/boot_id", "latin1")).trim();
    const stale = { pid: process.pid, startTime: "1", boot, nonce: "0123456789abcdef" };
    await writeFile(path, JSON.stringify(stale));
    const outcomes = await Promise.all(Array.from({ length: 8 }, () => acquireLock(path)));
    expect(outcomes.filter(({ acquired }) => acquired)).toHaveLength(1);
    expect((await readdir(folder)).filter((name) => name !== "stub.lock")).toEqual([]);
  });

  it("puts a socket whose path is too long into a private directory, and names it in stub.json", async () => {
    const runtime = join(folder, "x");
    await mkdir(runtime, { mode: 0o700 });
    const root = join(folder, "l".repeat(120));
    await using stub = await startStub({ installRoot: root, env: { XDG_RUNTIME_DIR: runtime } });
    const name = createHash("sha256").update(join(root, "run/stub.sock")).digest("hex").slice(0, 16);
    expect(stub.socket).toBe(join(runtime, `opencode-remote-ssh-${process.getuid?.()}`, `${name}.sock`));
    expect((await stat(join(stub.socket, ".."))).mode & 0o777).toBe(0o700);
    expect(await healthOver(stub.socket, stub.token)).toBe(200);
    await stub.stop();
    await expect(access(stub.socket)).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("does not use a directory for its socket that others can write to", async () => {
    const runtime = join(folder, "x");
    const prepared = join(runtime, `opencode-remote-ssh-${process.getuid?.()}`);
    await mkdir(prepared, { recursive: true });
    await chmod(prepared, 0o777);
    await using stub = await startStub({
      installRoot: join(folder, "l".repeat(120)),
      env: { XDG_RUNTIME_DIR: runtime },
    });
    expect(stub.socket.startsWith("/tmp/opencode-remote-ssh-")).toBe(true);
  });

  it("says what is wrong with its flags, and with a token file that holds no token", async () => {
    expect(await run(["--nonsense"])).toMatchObject({ code: 2, stderr: expect.stringContaining("error usage") });
    const parts = { OPENCODE_REMOTE_SSH_PARTS: await stubParts(join(folder, "parts")) };
    expect(await run(["--listen", "0.0.0.0:0"], parts)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("loopback"),
    });
    expect(await run(["--version"])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+ protocol \d+\.\d+\n$/),
    });
    expect((await run(["--help"])).stdout).toContain("--idle-exit");
    const token = join(folder, "token");
    await writeFile(token, "short\n");
    const failed = await run(["--install-root", join(folder, "root"), "--token-file", token], parts);
    expect(failed).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/error start_failed: .*token.*\nhint: remove/),
    });
  });
});

describe("ending", () => {
  it("by SIGTERM takes along what is its own, ends streams cleanly, and leaves commands alone", async () => {
    const root = join(folder, "root");
    const stub = await startStub({ installRoot: root });
    const approver = await (await stub.registerApprover()).secret();
    const directory = join(stub.home, "project");
    await mkdir(directory, { recursive: true });
    const workspaceID = newID("wrk");
    await stub.fetch("/experimental/workspace", { body: { id: workspaceID, type: "t", directory }, approver });
    const command = {
      commandID: newID("cmd"),
      sessionID: newID("ses"),
      workspaceID,
      command: "sleep 2; echo x > survived",
    };
    await stub.fetch("/command", { body: command });
    const events = await stub.fetch("/global/event");
    const waiting = stub.fetch("/file/stat?path=/etc&onAsk=wait", { workspace: workspaceID });
    await eventually(async () =>
      ((await (await stub.fetch("/permission")).json()) as unknown[]).length > 0 ? true : undefined,
    );
    const ended = new Promise<number | null>((resolve) => stub.process.once("exit", resolve));
    stub.process.kill("SIGTERM");
    expect(await events.text()).toContain("server.connected");
    await waiting.then(
      ({ status }) => expect(status).toBe(403),
      () => undefined,
    );
    expect(await ended).toBe(0);
    expect((await readdir(join(root, "run"))).sort()).toEqual(["stub.token"]);
    await eventually(() =>
      access(join(directory, "survived")).then(
        () => true,
        () => undefined,
      ),
    );
  });

  it("by --idle-exit, but not while somebody is connected or something runs", async () => {
    const stub = await startStub({ args: ["--idle-exit", "1"] });
    const approver = await (await stub.registerApprover()).secret();
    const directory = join(stub.home, "project");
    await mkdir(directory, { recursive: true });
    const workspaceID = newID("wrk");
    await stub.fetch("/experimental/workspace", { body: { id: workspaceID, type: "t", directory }, approver });
    const body = { commandID: newID("cmd"), sessionID: newID("ses"), workspaceID, command: "sleep 4; echo x > done" };
    await stub.fetch("/command", { body });
    const ended = new Promise<number | null>((resolve) => stub.process.once("exit", resolve));
    const stillRuns = (ms: number) =>
      Promise.race([ended, new Promise((resolve) => setTimeout(() => resolve("runs"), ms))]);
    const connected = await stub.fetch("/global/event");
    expect(connected.status).toBe(200);
    expect(await stillRuns(1500)).toBe("runs");
    await stub.disconnect();
    expect(await stillRuns(1500)).toBe("runs");
    expect(await ended).toBe(0);
    expect(await readFile(join(directory, "done"), "utf8")).toBe("x\n");
    await stub.stop();
  });
});
