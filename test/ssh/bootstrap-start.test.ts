// Starting and stopping, and which stub is used where one is there: over a real sshd, with a stand-in where only
// another version or a broken start can show it.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { bootstrap } from "../../plugin/bootstrap/bootstrap.js";
import { bundledStub } from "../../plugin/bootstrap/manifest.js";
import { registerApprover } from "../../plugin/bootstrap/register-approver.js";
import { start } from "../../plugin/bootstrap/start.js";
import { stop } from "../../plugin/bootstrap/stop.js";
import { upload } from "../../plugin/bootstrap/upload.js";
import { DEFAULT_INSTALL_ROOT, INSTALL } from "../../protocol/install.js";
import { signal } from "./fixtures/processes.js";
import { hasSshd, sshdReason } from "./fixtures/sshd.js";
import { type StandInOptions, standInStub } from "./fixtures/stand-in-stub.js";
import { modesBelow, startStubHost, startTimeOf } from "./fixtures/stub-host.js";

const installRoot = DEFAULT_INSTALL_ROOT;
const real = bundledStub();

describe.skipIf(!hasSshd)(`starting (${sshdReason})`, () => {
  it("brings up the real stub, alone in private files, and reads who it is over SSH (rows 3, 23)", async () => {
    await using host = await startStubHost();
    const transport = await host.connect();
    const { identity, root } = await bootstrap(transport, { installRoot, stub: real });
    expect(root).toBe(host.root);
    expect(identity).toMatchObject({
      pid: host.stubJson().pid,
      version: real.version,
      token: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    expect(startTimeOf(identity.pid)).toBe(host.stubJson().startTime);
    const open = (await modesBelow(host.root)).filter(({ mode }) => (Number.parseInt(mode, 8) & 0o077) !== 0);
    expect(open).toEqual([]);
  });

  it("gives commands the user's own umask, though ours is stricter", async () => {
    await using host = await startStubHost();
    const transport = await host.connect();
    const { identity } = await bootstrap(transport, { installRoot, stub: real });
    const status = await readFile(`/proc/${identity.pid}/status`, "utf8");
    expect(/^Umask:\s*(\d+)$/m.exec(status)?.[1]).toBe("0022");
  });

  it("starts one stub, however many start it at once", async () => {
    await using host = await startStubHost();
    const transports = await Promise.all(Array.from({ length: 4 }, () => host.connect()));
    await upload(transports[0] as (typeof transports)[0], { installRoot, stub: standInStub() });
    const all = await Promise.all([...transports, ...transports].map((transport) => start(transport, { installRoot })));
    expect(new Set(all.map(({ identity }) => identity.instanceID)).size).toBe(1);
    expect(all.filter(({ started }) => started)).toHaveLength(1);
    expect((await readFile(join(host.root, "log/started"), "utf8")).trim().split("\n")).toHaveLength(1);
  });

  it("is not held up by the lock of a start that died, even where its pid lives on as somebody else", async () => {
    await using host = await startStubHost();
    const transport = await host.connect();
    await upload(transport, { installRoot, stub: standInStub() });
    await writeFile(join(host.root, "run/start.lock"), `${process.pid} 1\n`);
    expect(await start(transport, { installRoot })).toMatchObject({ started: true });
    expect(existsSync(join(host.root, "run/start.lock"))).toBe(false);
  });

  it.each([
    [70, "install_failed"],
    [71, "no_space"],
    [72, "no_inodes"],
    [73, "address_space_limited"],
    [74, "noexec"],
    [75, "upload_corrupt"],
    [76, "platform_unsupported"],
    [1, "start_failed"],
  ])("turns exit status %i of the launcher into %s, with what it said", async (launchStatus, code) => {
    await using host = await startStubHost();
    const transport = await host.connect();
    await upload(transport, { installRoot, stub: standInStub({ launchStatus }) });
    await expect(start(transport, { installRoot })).rejects.toMatchObject({ code, message: "the launcher says why" });
  });

  it("reports a stub that does not come up, with the tail of its log (row 3)", async () => {
    await using host = await startStubHost();
    const transport = await host.connect();
    await upload(transport, { installRoot, stub: standInStub({ stillborn: true }) });
    await expect(start(transport, { installRoot, waitSeconds: 1 })).rejects.toMatchObject({
      code: "start_failed",
      details: { log: "a line of the log" },
    });
  });

  it("says stub_missing where nothing is installed", async () => {
    await using host = await startStubHost();
    await expect(start(await host.connect(), { installRoot })).rejects.toMatchObject({ code: "stub_missing" });
    expect(existsSync(host.root)).toBe(false);
  });

  it("registers an approver in a file of its own, twice without harm", async () => {
    await using host = await startStubHost();
    const transport = await host.connect();
    const publicKey = Uint8Array.from({ length: 32 }, (_, index) => index);
    for (let times = 0; times < 2; times++) {
      await registerApprover(transport, { installRoot, keyID: "0123456789abcdef", publicKey });
    }
    const file = join(host.root, INSTALL.approvers, "0123456789abcdef.pub");
    expect(await readFile(file, "utf8")).toBe(`${Buffer.from(publicKey).toString("base64")}\n`);
    expect((await modesBelow(host.root)).filter(({ mode }) => (Number.parseInt(mode, 8) & 0o077) !== 0)).toEqual([]);
  });
});

describe.skipIf(!hasSshd)(`stopping (${sshdReason})`, () => {
  it("ends the process that was recorded and no other that is called alike (row 1)", async () => {
    await using host = await startStubHost();
    const transport = await host.connect();
    const namesake = spawn("sh", ["-c", "sleep 60; :", "opencode-remote-ssh-stub"], { stdio: "ignore" });
    try {
      const { identity } = await bootstrap(transport, { installRoot, stub: real });
      expect(await stop(transport, { installRoot })).toBe(identity.pid);
      expect(startTimeOf(identity.pid)).toBeUndefined();
      expect(startTimeOf(namesake.pid ?? 0)).toBeDefined();
      expect(await stop(transport, { installRoot })).toBeNull();
    } finally {
      namesake.kill("SIGKILL");
    }
  });

  it("leaves a process alone that only got the pid: trusting the pid would kill it", async () => {
    await using host = await startStubHost();
    const transport = await host.connect();
    await mkdir(join(host.root, "run"), { recursive: true });
    const stranger = spawn("sleep", ["60"], { stdio: "ignore" });
    try {
      const json = {
        pid: stranger.pid,
        startTime: "1",
        port: 1,
        socket: "/x",
        instanceID: "i",
        version: "0.1.0",
        protocol: { major: 1, minor: 0 },
      };
      await writeFile(join(host.root, INSTALL.json), JSON.stringify(json));
      expect(signal(json.pid ?? 0, 0 as unknown as NodeJS.Signals)).toBe(true);
      expect(await stop(transport, { installRoot })).toBeNull();
      expect(startTimeOf(json.pid ?? 0)).toBeDefined();
    } finally {
      stranger.kill("SIGKILL");
    }
  });
});

describe.skipIf(!hasSshd)(`versions: never downgraded (${sshdReason})`, () => {
  /** What the second plugin does on a host where the first one's stub runs. */
  async function meet(first: StandInOptions, second: StandInOptions) {
    await using host = await startStubHost();
    const transport = await host.connect();
    const before = await bootstrap(transport, { installRoot, stub: standInStub(first) });
    const after = await bootstrap(transport, { installRoot, stub: standInStub(second) });
    const onDisk = await readFile(host.binary, "utf8");
    const version = /"version":"([^"]*)"/.exec(onDisk)?.[1];
    return { before, after, version, wasKept: startTimeOf(before.identity.pid) !== undefined };
  }

  it("an older plugin uses the newer stub of the same protocol, and keeps its file", async () => {
    const { before, after, version } = await meet({ version: "0.10.0", protocol: "1.4" }, { version: "0.9.2" });
    expect(after).toMatchObject({ uploaded: false, started: false, identity: before.identity });
    expect(version).toBe("0.10.0");
  });

  it("an older plugin says protocol_mismatch where the newer stub speaks another protocol", async () => {
    await expect(meet({ version: "1.0.0", protocol: "2.0" }, { version: "0.9.0" })).rejects.toMatchObject({
      code: "protocol_mismatch",
    });
  });

  it("a newer plugin's stub takes over from the one that runs, always", async () => {
    const { before, after, version, wasKept } = await meet({ version: "0.9.0" }, { version: "0.10.0", running: 2 });
    expect(after).toMatchObject({ uploaded: true, started: true, identity: { version: "0.10.0" } });
    expect(after.identity.instanceID).not.toBe(before.identity.instanceID);
    expect([version, wasKept]).toEqual(["0.10.0", false]);
  });

  it("several newer plugins at once become one newer stub", async () => {
    await using host = await startStubHost();
    const transports = await Promise.all(Array.from({ length: 3 }, () => host.connect()));
    const [first] = transports as [(typeof transports)[0]];
    await bootstrap(first, { installRoot, stub: standInStub({ version: "0.9.0" }) });
    const newer = standInStub({ version: "0.10.0" });
    const all = await Promise.all(transports.map((transport) => bootstrap(transport, { installRoot, stub: newer })));
    expect(new Set(all.map(({ identity }) => identity.instanceID)).size).toBe(1);
    expect(all.filter(({ started }) => started)).toHaveLength(1);
  });

  it("sends a file that was rebuilt under the same version", async () => {
    const { after } = await meet({ padding: 1 }, { padding: 2 });
    expect(after).toMatchObject({ uploaded: true, started: true });
  });
});
