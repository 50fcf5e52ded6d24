// The one file where there is BusyBox and nothing else: no C library, no Node, no setsid, no bash.
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newID } from "../../protocol/ids.js";
import { PROTOCOL } from "../../protocol/version.js";
import { type BareHost, bareHost, STUB_INSIDE } from "./fixtures/bare-host.js";
import { ask } from "./fixtures/http.js";
import { canMount, hasBusybox, reason } from "./fixtures/needs.js";
import { checkout } from "./fixtures/one-files.js";
import { outcome, until } from "./fixtures/run.js";

const built = join(checkout, "dist/stub/linux-x64/opencode-remote-ssh-stub");
const possible = canMount && hasBusybox;
const missing = reason(possible, "root that may mount, and busybox-static");

describe.skipIf(!possible)(`on a host with BusyBox only${missing}`, () => {
  let host: BareHost;
  let token: string;
  const inside = (...args: string[]) => host.start(STUB_INSIDE, args);
  const stub = (method: string, path: string, body?: unknown) => ask(inside("attach"), { method, path, token, body });

  beforeAll(async () => {
    host = await bareHost({ stub: built, proc: true });
  });
  afterAll(async () => {
    await host[Symbol.asyncDispose]();
  });

  it("there is no C library: what needs one cannot start", async () => {
    expect((await readdir(host.path)).sort()).toEqual(["bin", "dev", "proc", "root", "tmp"]);
    const probe = await outcome(host.start("/bin/sh", ["-c", "ls -l /lib /lib64 2>/dev/null | wc -l"]));
    expect(probe.stdout.trim()).toBe("0");
  });

  it("--probe finds everything in order, and a terminal opens", async () => {
    const result = await outcome(inside("--probe"));
    expect(result).toMatchObject({ code: 0, stderr: "" });
    expect(JSON.parse(result.stdout)).toMatchObject({ pty: { ok: true }, helper: { ok: true }, rg: { ok: true } });
  });

  it("starts detached, and is healthy over attach", async () => {
    expect(await outcome(inside("--daemonize"))).toMatchObject({ code: 0, stdout: "", stderr: "" });
    const run = join(host.path, "root/.opencode-remote-ssh/run");
    await until("the stub listens", () =>
      readFile(join(run, "stub.json")).then(
        () => true,
        () => undefined,
      ),
    );
    token = (await readFile(join(run, "stub.token"), "utf8")).trim();
    const { status, body } = await stub("GET", "/global/health");
    expect(status).toBe(200);
    expect(body).toMatchObject({ healthy: true, ok: true, protocol: PROTOCOL, platform: "linux", arch: "x64" });
  });

  it("runs a command", async () => {
    const workspaceID = newID("wrk");
    const created = await stub("POST", "/experimental/workspace", { id: workspaceID, type: "ssh" });
    expect(created).toMatchObject({ status: 200, body: { id: workspaceID } });
    const commandID = newID("cmd");
    const command = { commandID, workspaceID, sessionID: newID("ses"), command: "uname -s; readlink /bin/sh" };
    expect(await stub("POST", "/command", command)).toMatchObject({ status: 200 });
    const record = await until("the command has ended", async () => {
      const { body } = await stub("GET", `/command/${commandID}`);
      const { state } = body as { state: string };
      return state === "queued" || state === "running" ? undefined : body;
    });
    expect(record).toMatchObject({ state: "exited", exit: 0 });
    const logs = join(host.path, "root/.opencode-remote-ssh/state/commands");
    expect(await readFile(join(logs, `${commandID}.stdout`), "utf8")).toBe("Linux\n/bin/busybox\n");
  });
});

describe.skipIf(!possible)(`on a host without /proc${missing}`, () => {
  it("attach says who is missing, and --version and --verify work: they need nothing of the host", async () => {
    await using host = await bareHost({ stub: built, proc: false });
    expect(await readdir(join(host.path, "proc"))).toEqual([]);
    const attached = await outcome(host.start(STUB_INSIDE, ["attach"]));
    expect(attached).toMatchObject({
      code: 69,
      stderr: expect.stringContaining("/root/.opencode-remote-ssh/run/stub.sock"),
    });
    expect(await outcome(host.start(STUB_INSIDE, ["--version"]))).toMatchObject({ code: 0 });
    expect(await outcome(host.start(STUB_INSIDE, ["--verify", "0".repeat(64)]))).toMatchObject({ code: 1 });
  });
});
