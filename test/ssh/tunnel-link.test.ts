// The link to a real stub over a real sshd: cold once, then warm; by socket, port or attach; back after any loss.
import { existsSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { bundledStub } from "../../plugin/bootstrap/manifest.js";
import { stop } from "../../plugin/bootstrap/stop.js";
import { loadApprover } from "../../plugin/laptop/approver-key.js";
import { StubClient } from "../../plugin/stub-client/client.js";
import { followCommand } from "../../plugin/stub-client/command-stream.js";
import type { StubLink } from "../../plugin/tunnel/link.js";
import { newID } from "../../protocol/ids.js";
import { INSTALL } from "../../protocol/install.js";
import { Mark } from "../fixtures/marked-processes.js";
import { dropbearReason, hasDropbear, startDropbear } from "./fixtures/dropbear.js";
import { type Laptop, makeLaptop } from "./fixtures/laptop.js";
import { signal } from "./fixtures/processes.js";
import { hasSshd, sshdReason } from "./fixtures/sshd.js";
import { standInStub } from "./fixtures/stand-in-stub.js";
import { endStub, readStubJson, type StubHost, startStubHost, startTimeOf, waitUntil } from "./fixtures/stub-host.js";

const real = bundledStub();

/** The instance that answers an authenticated request over the link. */
async function answers(link: StubLink, laptop: Laptop): Promise<string> {
  const client = new StubClient(link, await loadApprover(laptop.paths));
  try {
    return (await client.health()).stub.instanceID;
  } finally {
    await client.close();
  }
}

async function project(host: StubHost): Promise<string> {
  const directory = join(host.sshd.home, "project");
  await mkdir(directory);
  return directory;
}

/** Sessions that sshd has started, but the one `cat` that the transport keeps open for each connection. */
async function startedSessions(log: string): Promise<number> {
  const sessions = log.match(/Starting session: \w+/g)?.length ?? 0;
  const connections = log.match(/Accepted publickey/g)?.length ?? 0;
  return sessions - connections;
}

describe.skipIf(!hasSshd)(`the link (${sshdReason})`, () => {
  it("installs once; the second connect uploads nothing and runs nothing on the host", async () => {
    await using host = await startStubHost();
    await using laptop = await makeLaptop();
    const first = laptop.link(host.sshd.resolved, real);
    await first.link.ready();
    expect(first.link.report).toMatchObject({ warm: false, uploaded: true, started: true, way: "socket" });
    expect(first.progress).toContainEqual(expect.stringMatching(/^uploading the stub \d+\.\d\/\d+\.\d MB$/));
    expect(first.progress.at(-1)).toBe("connected to test-host");
    expect(await answers(first.link, laptop)).toBe(host.stubJson().instanceID);
    await first.link.close();
    expect(await startedSessions(await host.sshd.log())).toBe(first.execs.length);

    const second = laptop.link(host.sshd.resolved, real);
    await second.link.ready();
    expect(await answers(second.link, laptop)).toBe(host.stubJson().instanceID);
    expect(second.link.report).toMatchObject({ warm: true, uploaded: false, started: false });
    expect(second.execs).toEqual([]);
    await second.link.close();
    expect(await startedSessions(await host.sshd.log())).toBe(first.execs.length);
    expect((await laptop.hosts.get("test-host"))?.uses).toBe(2);
  });

  it.each([
    { forbidden: ["AllowStreamLocalForwarding no"], way: "tcp", warmExecs: 0 },
    { forbidden: ["AllowStreamLocalForwarding no", "AllowTcpForwarding no"], way: "attach", warmExecs: 1 },
  ])("goes by $way where sshd has $forbidden, and remembers it", async ({ forbidden, way, warmExecs }) => {
    await using host = await startStubHost({ extraConfig: forbidden });
    await using laptop = await makeLaptop();
    for (const warm of [false, true]) {
      const { link, execs } = laptop.link(host.sshd.resolved, real);
      await link.ready();
      expect(link.report).toMatchObject({ warm, way });
      if (warm) expect(execs).toHaveLength(warmExecs);
      expect(await answers(link, laptop)).toBe(host.stubJson().instanceID);
      await link.close();
    }
  });

  it("carries megabytes both ways over attach, byte for byte", async () => {
    await using host = await startStubHost({ extraConfig: ["AllowStreamLocalForwarding no", "AllowTcpForwarding no"] });
    await using laptop = await makeLaptop();
    const { link } = laptop.link(host.sshd.resolved, real);
    const client = new StubClient(link, await loadApprover(laptop.paths));
    const { id } = await client.createWorkspace({ type: "ssh", directory: await project(host) });
    const body = Buffer.alloc(5_000_000, "0123456789abcdef\n\0\r\xff");
    const path = `/file/content?path=${encodeURIComponent(join(host.sshd.home, "project/big"))}`;
    await client.send({ method: "PUT", path, body, workspace: id });
    const { body: back } = await client.send({ method: "GET", path, workspace: id });
    expect(Buffer.compare(body, Buffer.from(back))).toBe(0);
    await client.close();
  });

  it("finds the stub that somebody else started anew: what was remembered is no longer true", async () => {
    await using host = await startStubHost();
    await using laptop = await makeLaptop();
    const first = laptop.link(host.sshd.resolved, real);
    const old = await first.link.ready();
    await first.link.close();
    const transport = await host.connect();
    await stop(transport, { installRoot: host.root });
    await rm(join(host.root, INSTALL.token));
    const other = laptop.link({ ...host.sshd.resolved, name: "other-name" }, real);
    await other.link.ready();

    const second = laptop.link(host.sshd.resolved, real);
    const now = await second.link.ready();
    expect(now.instanceID).toBe(host.stubJson().instanceID);
    expect([now.instanceID === old.instanceID, now.token === old.token]).toEqual([false, false]);
    expect(second.link.report).toMatchObject({ warm: false, uploaded: false, started: false });
    expect(await answers(second.link, laptop)).toBe(now.instanceID);
  });

  it("does not use what it knows of one machine for another of the same name", async () => {
    await using one = await startStubHost();
    await using two = await startStubHost();
    await using laptop = await makeLaptop();
    const first = laptop.link(one.sshd.resolved, standInStub());
    await first.link.ready();
    await first.link.close();
    const second = laptop.link(two.sshd.resolved, standInStub());
    const identity = await second.link.ready();
    expect(second.link.report).toMatchObject({ warm: false, uploaded: true });
    expect(identity.pid).toBe(two.stubJson().pid);
  });

  it("reaches a stub whose socket had to lie elsewhere, after that socket has proved itself", async () => {
    await using host = await startStubHost();
    await using laptop = await makeLaptop();
    const installRoot = join(host.sshd.home, "a-long-name-".repeat(9), "root");
    for (const warm of [false, true]) {
      const { link } = laptop.link({ ...host.sshd.resolved, installRoot }, real);
      const identity = await link.ready();
      expect(identity.socket.startsWith(installRoot)).toBe(false);
      expect(link.report).toMatchObject({ warm, way: "socket" });
      expect(await answers(link, laptop)).toBe(host.stubJson(installRoot).instanceID);
      await link.close();
    }
  });

  it("tells what is wrong with the token as a new reading over SSH, once for all who ask", async () => {
    await using host = await startStubHost();
    await using laptop = await makeLaptop();
    const { link, execs } = laptop.link(host.sshd.resolved, standInStub());
    const before = await link.ready();
    const counted = execs.length;
    const all = await Promise.all([link.refresh(), link.refresh(), link.refresh()]);
    expect(all.map(({ token }) => token)).toEqual([before.token, before.token, before.token]);
    expect(execs.length - counted).toBe(1);
  });
});

describe.skipIf(!hasSshd)(`the link when something ends (${sshdReason})`, () => {
  it("comes back by itself when the connection is killed; streams work again, nothing runs on the host for it", async () => {
    await using host = await startStubHost();
    await using laptop = await makeLaptop();
    const { link, execs, progress } = laptop.link(host.sshd.resolved, real);
    await link.ready();
    const counted = execs.length;
    for (let times = 0; times < 3; times++) {
      host.sshd.killConnections();
      await waitUntil(() => link.state !== "ready", "the loss is noticed");
      expect(await answers(link, laptop)).toBe(host.stubJson().instanceID);
      expect(link.state).toBe("ready");
    }
    expect(execs.length).toBe(counted);
    expect(progress.filter((text) => text.includes("reconnecting to test-host… (attempt 1"))).toHaveLength(3);
  });

  it("tries on while the host is away, and is there again when the host is", async () => {
    await using host = await startStubHost();
    await using laptop = await makeLaptop();
    const { link, progress } = laptop.link({ ...host.sshd.resolved }, standInStub());
    await link.ready();
    signal(host.sshd.pid, "SIGSTOP");
    host.sshd.killConnections();
    await waitUntil(() => link.state === "reconnecting", "the loss is noticed");
    signal(host.sshd.pid, "SIGCONT");
    await link.ready(AbortSignal.timeout(20_000));
    expect(progress.some((text) => text.includes("reconnecting"))).toBe(true);
  });

  it("starts the stub again when that has died, by whichever way it is reached", async () => {
    for (const extraConfig of [
      [],
      ["AllowStreamLocalForwarding no"],
      ["AllowStreamLocalForwarding no", "AllowTcpForwarding no"],
    ]) {
      await using host = await startStubHost({ extraConfig });
      await using laptop = await makeLaptop();
      const { link } = laptop.link(host.sshd.resolved, standInStub());
      const before = await link.ready();
      signal(before.pid, "SIGKILL");
      await waitUntil(() => startTimeOf(before.pid) === undefined, "the stub is gone");
      // The stream that the proof left open died with it.
      const stream = await link.openStream();
      const first = await new Promise((resolve) => {
        stream.once("close", () => resolve("closed"));
        stream.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
        stream.once("data", () => resolve("data"));
      });
      stream.destroy();
      if (first === "closed") (await link.openStream()).destroy();
      const after = await link.ready();
      expect(after.instanceID).not.toBe(before.instanceID);
      expect(after.pid).toBe(host.stubJson().pid);
    }
  });

  it("does not try again by itself where the key is no longer accepted, nor for those who ask again soon", async () => {
    await using host = await startStubHost();
    await using laptop = await makeLaptop();
    const { link } = laptop.link(host.sshd.resolved, standInStub());
    await link.ready();
    await writeFile(host.sshd.authorizedKeysFile, "");
    host.sshd.killConnections();
    await waitUntil(() => link.state === "failed", "it gave up");
    for (let times = 0; times < 5; times++) {
      await expect(link.openStream()).rejects.toMatchObject({ code: "auth_failed" });
    }
    const refused = (await host.sshd.log()).match(
      /Connection closed by authenticating user|Disconnected from authenticating user/g,
    );
    expect(refused?.length ?? 0).toBe(1);
  });

  it("keeps a running command through a second bootstrap that replaces the file (rows 4, 5)", async () => {
    await using host = await startStubHost();
    await using laptop = await makeLaptop();
    const { link } = laptop.link(host.sshd.resolved, real);
    const client = new StubClient(link, await loadApprover(laptop.paths));
    const { id } = await client.createWorkspace({ type: "ssh", directory: await project(host) });
    const commandID = newID("cmd");
    const mark = new Mark();
    const accepted = new Promise<void>((resolve) => {
      const command = "touch on; exec sleep 300";
      const request = { commandID, sessionID: newID("ses"), workspaceID: id, command, env: mark.env };
      followCommand(client, request, { onAccepted: () => resolve() }).catch(() => undefined);
    });
    await accepted;
    await waitUntil(async () => existsSync(join(host.sshd.home, "project/on")), "the command runs");
    const pids = await mark.pids();
    expect(pids).toHaveLength(1);
    try {
      await using colleague = await makeLaptop();
      const second = colleague.link(host.sshd.resolved, { ...real, version: "99.0.0" });
      await second.link.ready();
      expect(second.link.report).toMatchObject({ uploaded: true, started: true });
      expect(await mark.pids()).toEqual(pids);
      expect((await client.command(commandID)).state).toBe("running");
    } finally {
      await client.cancel(commandID);
      for (const pid of pids) signal(pid, "SIGKILL");
      await client.close();
    }
  });

  it("gives up what is under way when it is closed, and refuses what comes after", async () => {
    await using host = await startStubHost();
    await using laptop = await makeLaptop();
    const { link } = laptop.link(host.sshd.resolved, real);
    const waiting = link.ready();
    link.onProgress(({ text }) => text.startsWith("uploading the stub 1") && void link.close());
    await expect(waiting).rejects.toMatchObject({ code: "aborted" });
    await expect(link.openStream()).rejects.toMatchObject({ code: "aborted" });
    expect(link.state).toBe("idle");
    await waitUntil(() => host.sshd.connections().length === 0, "no connection is left");
  });

  it("lets one caller give up without ending what others wait for", async () => {
    await using host = await startStubHost();
    await using laptop = await makeLaptop();
    const { link } = laptop.link(host.sshd.resolved, standInStub());
    const impatient = new AbortController();
    const one = link.ready(impatient.signal);
    const other = link.ready();
    impatient.abort();
    await expect(one).rejects.toMatchObject({ code: "aborted" });
    await expect(other).resolves.toMatchObject({ version: "0.1.0" });
  });

  it("goes on without hosts.json where that cannot be written, and says so", async () => {
    await using host = await startStubHost();
    await using laptop = await makeLaptop();
    const { link, progress } = laptop.link(host.sshd.resolved, standInStub());
    // Where the state directory should be made, there is a file.
    await writeFile(join(laptop.paths.directory, "../../../.local"), "");
    await link.ready();
    await link.close();
    expect(progress.filter((text) => text.startsWith("hosts.json: ")).length).toBeGreaterThan(0);
  });
});

it.skipIf(!hasDropbear)(
  `a dropbear host is reached over TCP: it forwards no unix sockets (${dropbearReason})`,
  async () => {
    await using dropbear = await startDropbear();
    await using laptop = await makeLaptop();
    const root = join(dropbear.home, ".opencode-remote-ssh");
    try {
      for (const warm of [false, true]) {
        const { link } = laptop.link(dropbear.resolved, real);
        await link.ready();
        expect(link.report).toMatchObject({ warm, way: "tcp" });
        expect(await answers(link, laptop)).toBe(readStubJson(root).instanceID);
        await link.close();
      }
    } finally {
      await endStub(root);
    }
  },
);
