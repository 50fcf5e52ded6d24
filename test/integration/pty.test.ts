// Terminals: OpenCode's shape, nothing lost by who comes back, nothing left behind by who ends one.
import { readdir, readFile, readlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { newID } from "../../protocol/ids.js";
import type { Pty } from "../../protocol/pty.js";
import type { Workspace } from "../../protocol/workspace.js";
import { EventSource } from "../fixtures/event-source.js";
import { eventually, hostPid, processName } from "../fixtures/processes.js";
import { connectPty, type PtyConnectOptions, type PtyTestClient } from "../fixtures/pty-client.js";
import { describe } from "../fixtures/with-compiler.js";
import { type Workbench, workbench } from "../fixtures/workbench.js";

let bench: Workbench;
let workspace: Workspace & { directory: string };
const clients: PtyTestClient[] = [];
beforeAll(async () => {
  bench = await workbench({ env: { OPENCODE_REMOTE_SSH_SECRET: "s3cret" } });
  workspace = await bench.workspace();
});
afterAll(() => bench[Symbol.asyncDispose]());
afterEach(async () => {
  for (const client of clients.splice(0)) client.socket.terminate();
  const { body } = await bench.send<Pty[]>("/pty", { workspace: workspace.id });
  for (const { id } of body) await bench.send(`/pty/${id}`, { method: "DELETE", workspace: workspace.id });
});

const open = async (body: object = {}, query = "") => {
  const answer = await bench.send<Pty & { code: string }>(`/pty${query}`, { body, workspace: workspace.id });
  if (answer.status !== 200) throw Object.assign(new Error(JSON.stringify(answer.body)), answer);
  return answer.body;
};
/** OpenCode adds -l to shells; env does not. */
const run = (script: string, over: object = {}) =>
  open({ command: "/usr/bin/env", args: ["sh", "-c", script], ...over });
const connect = async ({ id }: Pty, options: Partial<PtyConnectOptions> = {}) => {
  const client = await connectPty(bench.stub, id, { workspace: workspace.id, ...options });
  clients.push(client);
  return client;
};
const get = ({ id }: Pty) => bench.send<Pty>(`/pty/${id}`, { workspace: workspace.id });
const alive = async (pid: number) => (await processName(pid)) !== undefined;

describe("/pty", () => {
  it("opens the user's login shell in the workspace's directory, in OpenCode's shape", async () => {
    const pty = await open();
    expect(pty).toEqual({
      id: expect.stringMatching(/^pty_/),
      title: `Terminal ${pty.id.slice(-4)}`,
      command: "/bin/sh",
      args: ["-l"],
      cwd: workspace.directory,
      status: "running",
      pid: expect.any(Number),
      enforcement: expect.objectContaining({ level: expect.any(String), ask: false }),
    });
    expect((await get(pty)).body).toEqual(pty);
    expect((await bench.send("/pty", { workspace: workspace.id })).body).toEqual([pty]);
    const client = await connect(pty);
    client.send("pwd; echo $((6*7))\n");
    expect(await client.until(/42\r\n/)).toContain(`${workspace.directory}\r\n`);
  });

  it("gives the login environment and what was asked for, and no secret and no descriptor of the stub's", async () => {
    const first = await run("sleep 100");
    const script = "env; echo I am $$.; echo all shown; sleep 100";
    const pty = await run(script, { env: { MINE: "ä=1", TERM: "vt100" } });
    const client = await connect(pty);
    const text = await client.until(/all shown/);
    expect(text).toContain("MINE=ä=1\r\n");
    expect(text).toContain("TERM=xterm-256color\r\n");
    expect(text).toContain("OPENCODE_TERMINAL=1\r\n");
    expect(text).not.toMatch(/OPENCODE_REMOTE_SSH|s3cret|SSH_CLIENT/);
    const links: string[] = [];
    const shell = await hostPid(Number(/I am (\d+)\./.exec(text)?.[1]));
    for (const name of await readdir(`/proc/${shell}/fd`)) {
      const link = await readlink(`/proc/${shell}/fd/${name}`).catch(() => undefined);
      if (link !== undefined) links.push(link);
    }
    expect(links.length).toBeGreaterThan(0);
    expect(links.filter((link) => !/^\/dev\/pts\/\d+$/.test(link))).toEqual([]);
    const environment = await readFile(`/proc/${first.pid}/environ`, "utf8");
    expect(environment).not.toContain(bench.stub.token);
  });

  it("has the size that was asked for and takes another one", async () => {
    const pty = await run('trap "stty size" WINCH; stty size; while :; do sleep 0.05; done', {
      size: { rows: 31, cols: 91 },
    });
    const client = await connect(pty);
    await client.until(/31 91\r\n/);
    const body = { size: { rows: 40, cols: 132 }, title: "mine" };
    const answer = await bench.send<Pty>(`/pty/${pty.id}`, { method: "PUT", body, workspace: workspace.id });
    expect(answer.body.title).toBe("mine");
    await client.until(/40 132\r\n/);
    for (const size of [{ rows: 0, cols: 1 }, { rows: 1 }]) {
      const wrong = await bench.send(`/pty/${pty.id}`, { method: "PUT", body: { size }, workspace: workspace.id });
      expect(wrong.status).toBe(400);
    }
  });

  it("keeps the exit code and the rest for who comes back after the end", async () => {
    const pty = await run("echo first; exit 7");
    await eventually("the end", async () => (await get(pty)).body.status === "exited");
    expect((await get(pty)).body).toEqual({ ...pty, status: "exited", exitCode: 7 });
    expect((await bench.send("/pty", { workspace: workspace.id })).body).toEqual([]);
    const client = await connect(pty);
    expect(await client.closed).toEqual({ code: 1000, reason: "exited" });
    expect(client.text()).toBe("first\r\n");
    expect(client.controls).toEqual([{ cursor: 7 }, { cursor: 7, exitCode: 7 }]);
    const killed = await run("kill -9 $$");
    await eventually("the end", async () => (await get(killed)).body.exitCode === 128 + 9);
  });

  it("tells what happens as OpenCode does", async () => {
    await using events = await EventSource.open(bench.stub, `?workspace=${workspace.id}`);
    await events.until(({ payload }) => payload.type === "server.connected");
    const pty = await run("read line; exit 3");
    await bench.send(`/pty/${pty.id}`, { method: "PUT", body: { title: "t" }, workspace: workspace.id });
    const client = await connect(pty);
    client.send("go\n");
    await client.closed;
    await bench.send(`/pty/${pty.id}`, { method: "DELETE", workspace: workspace.id });
    await events.until(({ payload }) => payload.type === "pty.deleted");
    const told = events.seen.map(({ payload }) => payload).filter(({ type }) => type.startsWith("pty."));
    expect(told.map(({ type, properties }) => ({ type, properties }))).toEqual([
      { type: "pty.created", properties: { info: pty } },
      { type: "pty.updated", properties: { info: { ...pty, title: "t" } } },
      { type: "pty.exited", properties: { id: pty.id, exitCode: 3 } },
      { type: "pty.deleted", properties: { id: pty.id } },
    ]);
  });

  it("is written to the audit log before it starts, and when it ends", async () => {
    const pty = await run("exit 5");
    await eventually("the end", async () => (await get(pty)).body.status === "exited");
    const lines = (await (await bench.stub.fetch("/audit?limit=20")).text()).trim().split("\n");
    const own = lines.map((line) => JSON.parse(line)).filter(({ ptyID }) => ptyID === pty.id);
    expect(own).toMatchObject([
      { event: "terminal", workspaceID: workspace.id, cwd: workspace.directory, decision: "approved" },
      { event: "exit", exit: 5 },
    ]);
  });

  it("asks for a directory outside, as a command does", async () => {
    const outside = await bench.outside("elsewhere");
    const refused = await bench.send<{ code: string; details: { permissionID: string; path: string } }>(
      "/pty?onAsk=fail",
      { body: { cwd: outside }, workspace: workspace.id },
    );
    expect(refused).toMatchObject({ status: 403, body: { code: "permission_required", details: { path: outside } } });
    const { permissionID } = refused.body.details;
    await bench.reply(permissionID, "once");
    const pty = await open({ cwd: outside }, `?onAsk=fail&permissionID=${permissionID}`);
    expect(pty.cwd).toBe(outside);
    await writeFile(join(workspace.directory, "file"), "");
    await expect(open({ cwd: "file" })).rejects.toMatchObject({ status: 400, body: { code: "ENOTDIR" } });
    await expect(open({ cwd: "nowhere" }, "?onAsk=fail")).rejects.toMatchObject({ body: { code: "cwd_missing" } });
  });

  it("belongs to its workspace and its approver", async () => {
    const pty = await run("sleep 100");
    const other = await bench.workspace();
    const stranger = await (await bench.stub.registerApprover()).secret();
    const refusals = [
      [await bench.send(`/pty/${pty.id}`), 400, "workspace_required"],
      [await bench.send(`/pty/${pty.id}`, { workspace: other.id }), 404, "pty_unknown"],
      [await bench.send(`/pty/${pty.id}`, { workspace: workspace.id, approver: stranger }), 403, "approver_foreign"],
      [await bench.send("/pty/pty_nobody00", { workspace: workspace.id }), 404, "pty_unknown"],
      [await bench.send("/pty/x", { workspace: workspace.id }), 400, "invalid_id"],
      [await bench.send("/pty", { workspace: workspace.id, body: { command: "a\0b" } }), 400, "invalid_request"],
      [await bench.send("/pty", { workspace: workspace.id, body: { env: { "A=B": "" } } }), 400, "invalid_request"],
    ] as const;
    for (const [{ status, body }, ...wanted] of refusals) expect([status, body.code]).toEqual(wanted);
  });
});

describe("the WebSocket of a terminal", () => {
  it("is guarded like every request: no token, a foreign origin or host, another workspace or approver", async () => {
    const pty = await run("sleep 100");
    const other = await bench.workspace();
    const stranger = await (await bench.stub.registerApprover()).secret();
    const status = (options: Partial<PtyConnectOptions>, id = pty.id) =>
      connectPty(bench.stub, id, { workspace: workspace.id, ...options }).then(
        () => 101,
        (error: { status: number }) => error.status,
      );
    expect(await status({ headers: { authorization: "" } })).toBe(401);
    expect(await status({ headers: { authorization: "Bearer wrong" } })).toBe(401);
    expect(await status({ headers: { origin: "http://evil.example" } })).toBe(403);
    expect(await status({ headers: { host: "evil.example" } })).toBe(403);
    expect(await status({ headers: { "x-approver": stranger } })).toBe(403);
    expect(await status({ workspace: other.id })).toBe(404);
    expect(await status({ workspace: "nonsense" })).toBe(400);
    expect(await status({}, newID("pty"))).toBe(404);
    expect(await status({})).toBe(101);
    const query = `?workspace=${workspace.id}&token=${bench.stub.token}`;
    expect((await fetch(`${bench.stub.url}/pty/${pty.id}/connect${query}`)).status).toBe(401);
  });

  it("a client that comes back at any point gets exactly what it missed, nothing lost and nothing doubled", async () => {
    // Lines with characters of one to four bytes (and one or two units), printed while connections come and go.
    const pty = await run('i=0; while [ $i -lt 3000 ]; do echo "$i ä€😀"; i=$((i+1)); done; read end');
    const expected = Array.from({ length: 3000 }, (_, index) => `${index} ä€😀\r\n`).join("");
    let text = "";
    let cursor = 0;
    for (let round = 0; text.length < expected.length; round += 1) {
      const client = await connect(pty, { cursor });
      await eventually("the replay", () => client.controls.length > 0);
      if (round < 20) await eventually("more", () => client.text().length > 0 || client.cursor() >= expected.length);
      client.socket.terminate();
      text += client.text();
      cursor = client.cursor();
      expect(cursor).toBe(text.length);
    }
    expect(text).toBe(expected);
    const late = await connect(pty, { cursor: -1 });
    late.send("x\n");
    await late.closed;
    expect(late.text()).toBe("x\r\n");
    const whole = await connect(pty);
    await whole.closed;
    expect(whole.text()).toBe(`${expected}x\r\n`);
  });

  it("shows several clients the same, and takes the input of all of them", async () => {
    const pty = await run('stty -echo; echo ready; while read line; do echo "got $line"; done');
    const [one, two] = [await connect(pty), await connect(pty)];
    await one.until(/ready/);
    one.send("from one\n");
    await two.until(/got from one/);
    two.send(Buffer.from("from two ä\n"));
    two.send(Buffer.from([0xff, 0x0a]));
    two.send("last\n");
    await one.until(/got last/);
    await two.until(/got last/);
    expect(one.text()).toBe(two.text());
    expect(one.text()).toBe("ready\r\ngot from one\r\ngot from two ä\r\ngot last\r\n");
  });

  it("keeps the last 2 MiB for who comes late, and the cursor tells how much is gone", async () => {
    const pty = await run("yes 0123456789abcdef | head -c 5000000; read end");
    const first = await connect(pty, { cursor: -1 });
    const bytes = Math.floor(5_000_000 / 17) * 18 + (5_000_000 % 17);
    await eventually("all of it", async () => {
      const probe = await connect(pty, { cursor: -1 });
      await eventually("control", () => probe.controls.length > 0);
      probe.close();
      return probe.controls[0]?.cursor === bytes;
    });
    first.close();
    const late = await connect(pty, { cursor: 100 });
    await eventually("the replay", () => late.controls.length > 0);
    expect(late.cursor()).toBe(bytes);
    expect(late.text().length).toBeGreaterThanOrEqual(2 * 1024 * 1024);
    expect(late.text().length).toBeLessThan(2 * 1024 * 1024 + 128 * 1024);
  });

  it("a client that takes nothing is sent away, the program waits for the others only, and memory stays bounded", async () => {
    const pty = await run("yes 0123456789abcdef | head -c 20000000; echo; echo DONE; read end");
    const bytes = Math.floor(20_000_000 / 17) * 18 + (20_000_000 % 17) + "\r\nDONE\r\n".length;
    const slow = await connect(pty);
    slow.socket.pause();
    const fast = await connect(pty);
    await eventually("the end of the flood", () => fast.length() >= bytes, 30_000);
    expect(fast.text().endsWith("DONE\r\n")).toBe(true);
    const status = await readFile(`/proc/${bench.stub.pid}/status`, "utf8");
    const rss = Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]);
    expect(rss).toBeLessThan(400_000);
    slow.socket.resume();
    expect((await slow.closed).code).toBe(1013);
    const back = await connect(pty, { cursor: slow.cursor() });
    await back.until(/DONE/);
  });

  it("a lone client that stalls holds its program up for a moment only", async () => {
    const pty = await run("yes 0123456789abcdef | head -c 10000000; touch finished; read end");
    const lone = await connect(pty);
    lone.socket.pause();
    await eventually(
      "the program's end",
      () =>
        readFile(join(workspace.directory, "finished"), "utf8").then(
          () => true,
          () => false,
        ),
      25_000,
    );
    lone.socket.resume();
    expect([1013, 1006]).toContain((await lone.closed).code);
  });

  it("refuses frames of more than 1 MiB, and holds input back that its program does not read", async () => {
    const pty = await run("stty raw -echo; echo ready; sleep 2; head -c 6000000 | wc -c; read end");
    const client = await connect(pty);
    await client.until(/ready/);
    for (let index = 0; index < 60; index += 1) client.send("x".repeat(100_000));
    await client.until(/6000000/);
    client.send("x".repeat(1024 * 1024 + 1));
    expect((await client.closed).code).toBe(1009);
  });
});

describe("what holds a terminal", () => {
  it("is what holds a command: its workspace is there, what lies beside it is not, and its record says the level", async () => {
    await writeFile(join(bench.stub.home, "beside"), "s3cret\n");
    const pty = await run(
      "cat ../beside; echo mine > own; cat own; cat /proc/self/status | grep NoNewPrivs; echo DONE; sleep 100",
    );
    const { level } = pty.enforcement ?? { level: "missing" };
    const text = await (await connect(pty)).until(/DONE/);
    expect(text).toContain("mine\r\n");
    const isHeld = level !== "static" && level !== "off";
    expect(text.includes("s3cret")).toBe(!isHeld);
    if (isHeld) expect(text).toMatch(/NoNewPrivs:\s+1/);
    expect(await readdir(join(bench.stub.installRoot, "state/terminals"))).toEqual([]);
  });
});

describe("the end of a terminal", () => {
  it("takes everything along that descends from it, also what ignores the hangup or has a session of its own", async () => {
    const pty = await run(
      "trap '' HUP; setsid sleep 301 & sleep 302 & (trap '' HUP TERM; sleep 303) & ps -o pid= --ppid $$; echo READY; wait",
    );
    const client = await connect(pty);
    const shown = [...(await client.until(/READY/)).matchAll(/^\s*(\d+)\r$/gm)].map((match) => Number(match[1]));
    const pids: number[] = [];
    for (const own of shown) pids.push((await hostPid(own)) ?? 0); // ps itself has ended
    expect(pids.filter((pid) => pid > 0).length).toBeGreaterThanOrEqual(3);
    const answer = await bench.send(`/pty/${pty.id}`, { method: "DELETE", workspace: workspace.id });
    expect(answer.body).toBe(true);
    for (const pid of [pty.pid, ...pids]) if (pid > 0) expect(await alive(pid)).toBe(false);
    expect((await client.closed).code).toBe(1000);
    expect((await get(pty)).status).toBe(404);
  });

  it("comes with the end of its workspace", async () => {
    const own = await bench.workspace();
    const { body } = await bench.send<Pty>("/pty", { body: {}, workspace: own.id });
    expect(await alive(body.pid)).toBe(true);
    const { status } = await bench.send(`/experimental/workspace/${own.id}`, {
      method: "DELETE",
      approver: bench.approver,
    });
    expect(status).toBe(200);
    expect(await alive(body.pid)).toBe(false);
  });

  it("loses no byte of what was printed last, though the stub is busy just then", async () => {
    for (let round = 0; round < 10; round += 1) {
      const pty = await run("head -c 200000 /dev/zero | tr '\\0' x; echo; echo LAST");
      const client = await connect(pty);
      await client.closed;
      expect(client.text()).toBe(`${"x".repeat(200_000)}\r\nLAST\r\n`);
    }
  });

  it("is not hidden by terminals that were opened later: their processes hold nothing of it", async () => {
    const pty = await run("sleep 100");
    const later = await run("echo ready; sleep 100");
    await (await connect(later)).until(/ready/);
    const masters: string[] = [];
    for (const name of await readdir(`/proc/${later.pid}/fd`))
      masters.push(await readlink(`/proc/${later.pid}/fd/${name}`));
    expect(masters.filter((link) => link.includes("ptmx"))).toEqual([]);
    await bench.send(`/pty/${pty.id}`, { method: "DELETE", workspace: workspace.id });
    expect(await alive(later.pid)).toBe(true);
  });

  it("comes with the stub's own end, killed or not", async () => {
    for (const signal of ["SIGTERM", "SIGKILL"] as const) {
      const own = await workbench();
      const place = await own.workspace();
      const { body } = await own.send<Pty>("/pty", { body: {}, workspace: place.id });
      await own.stub.stop(signal);
      await eventually(`the end after ${signal}`, async () => !(await alive(body.pid)));
    }
  });
});

describe("limits", () => {
  it("a 33rd terminal is refused until one is closed", async () => {
    const all = await Promise.all(Array.from({ length: 32 }, () => run("sleep 100")));
    await expect(run("sleep 100")).rejects.toMatchObject({ status: 429, body: { code: "pty_limit" } });
    await bench.send(`/pty/${all[0]?.id}`, { method: "DELETE", workspace: workspace.id });
    await run("sleep 100");
  });
});

describe("the program that the build makes, in the Node that it brings", () => {
  it("opens terminals and their WebSockets", async () => {
    await using built = await workbench({ version: "9.9.9" });
    const place = await built.workspace();
    const body = { command: "/usr/bin/env", args: ["sh", "-c", "read line; echo got $line; exit 3"] };
    const pty = (await built.send<Pty>("/pty", { body, workspace: place.id })).body;
    const client = await connectPty(built.stub, pty.id, { workspace: place.id });
    clients.push(client);
    client.send("ä\n");
    expect(await client.closed).toEqual({ code: 1000, reason: "exited" });
    expect(client.text()).toBe("ä\r\ngot ä\r\n");
    expect(client.controls.at(-1)).toEqual({ cursor: 10, exitCode: 3 });
  });
});
