// Somebody else listens in the stub's place, and relays the challenge to the real stub (rows 15, 24): they never see the
// token. A client that sends it at once gives it away.

import { readFile, writeFile } from "node:fs/promises";
import { createServer as createHttpServer } from "node:http";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { bundledStub } from "../../plugin/bootstrap/manifest.js";
import { HostsFile } from "../../plugin/laptop/hosts-file.js";
import { checkHealth } from "../../plugin/tunnel/health-check.js";
import { prove } from "../../plugin/tunnel/proof.js";
import { INSTALL } from "../../protocol/install.js";
import { makeLaptop } from "./fixtures/laptop.js";
import { listening } from "./fixtures/listening.js";
import { hasSshd, sshdReason } from "./fixtures/sshd.js";
import { startStubHost } from "./fixtures/stub-host.js";

const real = bundledStub();
const patience = () => AbortSignal.timeout(5000);
const tcpOnly = { extraConfig: "AllowStreamLocalForwarding no" };

interface Impostor extends AsyncDisposable {
  port: number;
  /** Everything that was sent to it. */
  heard(): string;
}

/** Listens on a port or at a path, keeps what it hears, and passes it on both ways. */
async function relay(to: { port: number } | { path: string }, at?: string): Promise<Impostor> {
  const heard: Buffer[] = [];
  const server = createServer((socket) => {
    const upstream = connect(to as { port: number });
    socket.on("data", (chunk) => heard.push(chunk));
    for (const each of [socket, upstream]) each.on("error", () => each.destroy());
    socket.pipe(upstream).pipe(socket);
  });
  return { ...(await listening(server, at)), heard: () => Buffer.concat(heard).toString("latin1") };
}

/** Another program on the port, which answers every request alike. */
async function foreign(status: number): Promise<Impostor> {
  const heard: string[] = [];
  const server = createHttpServer((request, response) => {
    heard.push(JSON.stringify(request.headers));
    const body = JSON.stringify({ code: "unauthorized", message: "who are you" });
    response
      .writeHead(status, { "content-length": Buffer.byteLength(body), "x-stub-proof": "00".repeat(32) })
      .end(body);
  });
  return { ...(await listening(server)), heard: () => heard.join("\n") };
}

describe.skipIf(!hasSshd)(`an impostor on the stub's port (${sshdReason})`, () => {
  it("relays the challenge and is found out; the client that trusts a healthy answer gives it the token", async () => {
    await using host = await startStubHost(tcpOnly);
    await using laptop = await makeLaptop();
    const first = laptop.link(host.sshd.resolved, real);
    const identity = await first.link.ready();
    await first.link.close();
    await using impostor = await relay({ port: identity.port });

    // The naive client: connect, send the token, and look whether the right instance answers. It does.
    const naive = connect(impostor.port, "127.0.0.1");
    await expect(checkHealth(naive, identity, patience())).resolves.toBe(true);
    naive.destroy();
    expect(impostor.heard()).toContain(identity.token);

    // Ours, which remembers the impostor's port: the proof names the port where the real one listens.
    await using other = await relay({ port: identity.port });
    const careful = connect(other.port, "127.0.0.1");
    await expect(prove(careful, identity, other.port, patience())).rejects.toMatchObject({ code: "impostor" });
    expect(careful.destroyed).toBe(true);
    expect(other.heard()).toContain("x-stub-challenge");
    expect(other.heard()).not.toContain(identity.token);
  });

  it("gets nothing from a warm connect either, which then finds the real stub over SSH", async () => {
    await using host = await startStubHost(tcpOnly);
    await using laptop = await makeLaptop();
    const first = laptop.link(host.sshd.resolved, real);
    const identity = await first.link.ready();
    await first.link.close();
    await using impostor = await relay({ port: identity.port });
    const hosts = new HostsFile(laptop.paths);
    await hosts.update("test-host", (known) => ({
      ...known,
      ...(known.stub === undefined ? {} : { stub: { ...known.stub, port: impostor.port } }),
    }));
    const second = laptop.link(host.sshd.resolved, real);
    expect((await second.link.ready()).port).toBe(identity.port);
    expect(second.link.report).toMatchObject({ warm: false, way: "tcp", started: false });
    expect(impostor.heard()).toContain("x-stub-challenge");
    expect(impostor.heard()).not.toContain(identity.token);
  });

  it("is an error where the host itself names its port, not a way to go on", async () => {
    await using host = await startStubHost(tcpOnly);
    await using laptop = await makeLaptop();
    const first = laptop.link(host.sshd.resolved, real);
    const identity = await first.link.ready();
    await first.link.close();
    await using impostor = await relay({ port: identity.port });
    const file = join(host.root, INSTALL.json);
    const honest = await readFile(file, "utf8");
    await writeFile(file, honest.replace(`"port":${identity.port}`, `"port":${impostor.port}`));
    await using stranger = await makeLaptop();
    await expect(stranger.link(host.sshd.resolved, real).link.ready()).rejects.toMatchObject({
      code: "impostor",
      hint: expect.stringContaining("token was not sent"),
    });
    await writeFile(file, honest);
    expect(impostor.heard()).toContain("x-stub-challenge");
    expect(impostor.heard()).not.toContain(identity.token);
  });

  it.each([200, 401, 403])("may be another program that answers %i: it is not taken for the stub", async (status) => {
    await using program = await foreign(status);
    const identity = {
      token: "5".repeat(64),
      instanceID: "i",
      version: "0.1.0",
      pid: 1,
      port: program.port,
      socket: "/x",
    };
    const stream = connect(program.port, "127.0.0.1");
    await expect(prove(stream, identity, program.port, patience())).rejects.toMatchObject({ code: "impostor" });
    expect(program.heard()).toContain("x-stub-challenge");
    expect(program.heard()).not.toContain(identity.token);
  });

  it("may also sit at a socket outside of our own directory: that one has to prove itself too", async () => {
    await using host = await startStubHost();
    await using laptop = await makeLaptop();
    const { link } = laptop.link(host.sshd.resolved, real);
    const identity = await link.ready();
    // It relays to the TCP port, all that another user of the host can reach: the proof then names that port, not the socket.
    const path = join(host.sshd.directory, "impostor.sock");
    await using impostor = await relay({ port: identity.port }, path);
    const stream = connect({ path });
    await expect(prove(stream, identity, 0, patience())).rejects.toMatchObject({ code: "impostor" });
    expect(impostor.heard()).not.toContain(identity.token);
    const honest = connect({ path: identity.socket });
    await expect(prove(honest, identity, 0, patience())).resolves.toBeUndefined();
    honest.destroy();
  });
});
