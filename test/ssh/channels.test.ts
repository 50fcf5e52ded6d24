// What runs over an open connection: commands, sockets, and the limits of hosts.
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { connect, createServer, type Server } from "node:net";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import ssh2, { type ClientChannel } from "ssh2";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ChannelSocket } from "../../plugin/ssh/ssh2/channel.js";
import { openTransport } from "../../plugin/ssh/ssh2/open.js";
import type { OpenOptions, Transport } from "../../plugin/ssh/transport.js";
import { dropbearReason, hasDropbear, startDropbear } from "./fixtures/dropbear.js";
import { listening } from "./fixtures/listening.js";
import { naiveClient } from "./fixtures/naive-client.js";
import { hasSshd, type Sshd, sshdReason, startSshd } from "./fixtures/sshd.js";
import { finish, text } from "./fixtures/text.js";

const OPTIONS: OpenOptions = { connectTimeoutMs: 10_000, keepaliveMs: 5_000 };

async function echoServer(where: string | number): Promise<Server> {
  const server = createServer((socket) => socket.pipe(socket));
  await listening(server, where);
  return server;
}

async function echoes(socket: Duplex): Promise<void> {
  const message = Buffer.alloc(300_000, "x");
  socket.end(message);
  expect((await text(socket)).length).toBe(message.length);
}

describe.skipIf(!hasSshd)(`channels (${sshdReason})`, () => {
  let sshd: Sshd;
  let transport: Transport;
  beforeAll(async () => {
    sshd = await startSshd();
    transport = await openTransport(sshd.resolved, OPTIONS);
  });
  afterAll(async () => {
    await transport.close();
    await sshd.stop();
  });

  it("reaches a unix socket and a loopback port of the host, both ways, to the last byte", async () => {
    const path = join(sshd.directory, "echo.sock");
    const unix = await echoServer(path);
    const tcp = await echoServer(0);
    await echoes(await transport.openSocket(path));
    await echoes(await transport.openTcp((tcp.address() as AddressInfo).port));
    unix.close();
    tcp.close();
  });

  it("tells by its reason that nobody listens on a socket or a port", async () => {
    await expect(transport.openSocket(join(sshd.directory, "nobody.sock"))).rejects.toMatchObject({
      code: "channel_refused",
      details: { reason: 2 },
    });
    await expect(transport.openTcp(1)).rejects.toMatchObject({ code: "channel_refused", details: { reason: 2 } });
  });

  it("tells by its reason that forwarding is forbidden", async () => {
    await using closed = await startSshd({ extraConfig: ["AllowTcpForwarding no", "AllowStreamLocalForwarding no"] });
    const forbidden = await openTransport(closed.resolved, OPTIONS);
    await expect(forbidden.openTcp(closed.port)).rejects.toMatchObject({
      code: "channel_refused",
      details: { reason: 1 },
    });
    await expect(forbidden.openSocket("/tmp/x")).rejects.toMatchObject({
      code: "channel_refused",
      details: { reason: 2 },
    });
    expect(await finish(await forbidden.exec("echo still here"))).toMatchObject({ stdout: "still here\n" });
    await forbidden.close();
  });

  it("ends a command when its signal aborts, and does not start one whose signal has", async () => {
    const controller = new AbortController();
    const channel = await transport.exec("echo started; exec sleep 600", controller.signal);
    await once(channel.stdout, "data");
    const failed = once(channel.stdout, "error");
    controller.abort();
    expect(await failed).toMatchObject([{ code: "aborted" }]);
    expect(await channel.closed).toMatchObject({ code: null });
    await expect(transport.exec("true", controller.signal)).rejects.toMatchObject({ code: "aborted" });
  });

  it("gives the signal that ended a command", async () => {
    const channel = await transport.exec("kill -TERM $$");
    channel.stdout.resume();
    channel.stderr.resume();
    expect(await channel.closed).toEqual({ code: null, signal: "SIGTERM" });
  });

  it("never misses an exit code, however soon the command is over", async () => {
    const codes = Array.from({ length: 60 }, (_, index) => index);
    const results = [];
    for (const code of codes) results.push((await finish(await transport.exec(`exit ${code}`))).code);
    expect(results).toEqual(codes);
  });

  it("is not ended by errors that nobody listens for", async () => {
    const channel = await transport.exec("exec 0<&-; sleep 0.05");
    channel.stdin.write(Buffer.alloc(100_000));
    channel.stdout.resume();
    channel.stderr.resume();
    await channel.closed;
    const socket = await transport.openTcp(sshd.port);
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.destroy(new Error("nobody listens for this"));
    await closed;
  });

  it("runs more commands at once than MaxSessions allows, where plain ssh2 fails with reason 2", async () => {
    for (const MaxSessions of [2, 1]) {
      await using small = await startSshd({ extraConfig: `MaxSessions ${MaxSessions}` });
      const queueing = await openTransport(small.resolved, OPTIONS);
      const numbers = [1, 2, 3, 4, 5, 6];
      const results = await Promise.all(
        numbers.map(async (number) => finish(await queueing.exec(`sleep 0.1; echo ${number}`))),
      );
      expect(results.map((result) => result.stdout)).toEqual(numbers.map((number) => `${number}\n`));
      await queueing.close();

      const naive = await naiveClient(small);
      const refused = await Promise.all(
        numbers.map(
          (number) => new Promise<Error | undefined>((resolve) => naive.exec(`sleep 0.1; echo ${number}`, resolve)),
        ),
      );
      expect(refused.filter((error) => error !== undefined).length).toBe(numbers.length - MaxSessions);
      expect(refused.at(-1)).toMatchObject({ reason: 2 });
      naive.end();
    }
  });

  it("gives up a place in that queue when the signal aborts", async () => {
    await using small = await startSshd({ extraConfig: "MaxSessions 1" });
    const queueing = await openTransport(small.resolved, OPTIONS);
    const first = await queueing.exec("cat");
    const controller = new AbortController();
    const second = queueing.exec("true", controller.signal);
    setTimeout(() => controller.abort(), 50);
    await expect(second).rejects.toMatchObject({ code: "aborted" });
    first.close();
    expect(await finish(await queueing.exec("echo next"))).toMatchObject({ stdout: "next\n" });
    await queueing.close();
  });

  it("does not wait for ever for a session that the host keeps after we have closed it", async () => {
    await using small = await startSshd({ extraConfig: "MaxSessions 1" });
    const queueing = await openTransport(small.resolved, OPTIONS);
    const stuck = await queueing.exec("trap '' TERM; while :; do sleep 1; done");
    const next = queueing.exec("true");
    stuck.close();
    expect(await stuck.closed).toEqual({ code: null, signal: null });
    await expect(next).rejects.toMatchObject({ code: "channel_refused", details: { reason: 2 } });
    await queueing.close();
  });

  it("says channel_refused where a host runs no command at all", async () => {
    await using none = await startSshd({ extraConfig: "MaxSessions 0" });
    const refused = await openTransport(none.resolved, OPTIONS);
    await expect(refused.exec("true")).rejects.toMatchObject({ code: "channel_refused", details: { reason: 2 } });
    await refused.close();
  });

  it("lets a corked request leave in one packet; a bare channel of ssh2 takes two", async () => {
    const path = join(sshd.directory, "count.sock");
    const server = await echoServer(path);
    const socket = connect(sshd.port, sshd.host);
    const client = new ssh2.Client();
    client.connect({ sock: socket, username: sshd.user, privateKey: await readFile(sshd.identityFile) });
    await once(client, "ready");
    const open = () =>
      new Promise<ClientChannel>((resolve, reject) =>
        client.openssh_forwardOutStreamLocal(path, (error, channel) => (error ? reject(error) : resolve(channel))),
      );
    let packets = 0;
    const write = socket.write.bind(socket);
    socket.write = ((...args: Parameters<typeof write>) => {
      packets++;
      return write(...args);
    }) as typeof socket.write;
    const request = async (stream: Duplex, ...parts: string[]) => {
      packets = 0;
      stream.cork();
      for (const part of parts) stream.write(part);
      stream.uncork();
      const sent = packets;
      await once(stream, "data");
      stream.destroy();
      return sent;
    };
    const one = await request(await open(), "x");
    expect(await request(new ChannelSocket(await open()), "POST / HTTP/1.1\r\n\r\n", "body")).toBe(one);
    expect(await request(await open(), "POST / HTTP/1.1\r\n\r\n", "body")).toBe(2 * one);
    client.end();
    server.close();
  });

  it("holds little for a reader that does not read; a bare channel of ssh2 holds megabytes", async () => {
    const channel = await transport.exec("head -c 8000000 /dev/zero");
    channel.stderr.resume();
    const naive = await naiveClient(sshd);
    const bare = await new Promise<ClientChannel>((resolve, reject) =>
      naive.exec("head -c 8000000 /dev/zero", (error, opened) => (error ? reject(error) : resolve(opened))),
    );
    while (bare.readableLength < 1_000_000) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(channel.stdout.readableLength).toBeGreaterThan(0);
    expect(channel.stdout.readableLength).toBeLessThanOrEqual(64 * 1024 + 32 * 1024);
    // and nothing of it is lost
    expect((await text(channel.stdout)).length).toBe(8_000_000);
    naive.end();
  });
});

describe.skipIf(!hasDropbear)(`dropbear (${dropbearReason})`, () => {
  it("runs commands, forwards ports, and tells that it has no unix sockets by reason 3", async () => {
    await using dropbear = await startDropbear();
    const transport = await openTransport(dropbear.resolved, OPTIONS);
    const channel = await transport.exec("cat; exit 3");
    channel.stdin.end("through dropbear");
    expect(await finish(channel)).toEqual({ stdout: "through dropbear", stderr: "", code: 3 });
    const tcp = await echoServer(0);
    await echoes(await transport.openTcp((tcp.address() as AddressInfo).port));
    tcp.close();
    await expect(transport.openSocket("/tmp/x")).rejects.toMatchObject({
      code: "channel_refused",
      details: { reason: 3 },
    });
    await transport.close();
  });
});
