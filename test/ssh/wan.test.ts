// The project's own networks, before others build on them: the relay, and the one of packets.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openTransport } from "../../plugin/ssh/ssh2/open.js";
import { processName } from "../fixtures/processes.js";
import { hasPacketWan, inNamespace, packetWanReason, startPacketWan } from "./fixtures/packet-wan.js";
import { startSshd } from "./fixtures/sshd.js";
import { text } from "./fixtures/text.js";
import { startWan } from "./fixtures/wan.js";

let server: Server;
let target: number;
beforeAll(async () => {
  server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
    socket.on("error", () => undefined);
    socket.pipe(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  target = (server.address() as AddressInfo).port;
});
afterAll(() => server.close());

async function dial(port: number): Promise<Socket> {
  const socket = connect({ host: "127.0.0.1", port, noDelay: true });
  socket.on("error", () => undefined);
  await once(socket, "connect");
  return socket;
}

/** `once(socket, "close")` would reject on the reset that comes before. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once("close", () => resolve()));
}

async function roundTrip(socket: Socket): Promise<number> {
  const start = performance.now();
  socket.write("x");
  await once(socket, "data");
  return performance.now() - start;
}

it("lets nothing arrive before its time", async () => {
  await using wan = await startWan({ target, delayMs: 30 });
  const socket = await dial(wan.port);
  await roundTrip(socket);
  for (let i = 0; i < 5; i++) expect(await roundTrip(socket)).toBeGreaterThanOrEqual(59);
  socket.destroy();
});

it("delays each byte once: a megabyte in many pieces arrives whole, in order, and is not queued piece by piece", async () => {
  await using wan = await startWan({ target, delayMs: 50 });
  const socket = await dial(wan.port);
  const sent = Buffer.from(Array.from({ length: 1_000_000 }, (_, index) => index % 251));
  const received: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => received.push(chunk));
  const start = performance.now();
  for (let at = 0; at < sent.length; at += 10_000) socket.write(sent.subarray(at, at + 10_000));
  socket.end();
  await once(socket, "close");
  expect(Buffer.concat(received).equals(sent)).toBe(true);
  // piece by piece it would be 100 pieces x 100 ms
  expect(performance.now() - start).toBeLessThan(5_000);
  expect(wan.bytes()).toEqual({ up: sent.length, down: sent.length });
});

it("stalls without a sign and delivers everything when it resumes", async () => {
  await using wan = await startWan({ target });
  const socket = await dial(wan.port);
  await roundTrip(socket);
  wan.stall();
  let arrived = 0;
  socket.on("data", (chunk: Buffer) => {
    arrived += chunk.length;
  });
  socket.write("held");
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect([arrived, socket.destroyed]).toEqual([0, false]);
  wan.resume();
  while (arrived < 4) await new Promise((resolve) => setTimeout(resolve, 5));
  socket.destroy();
});

it("cuts what is open, and turns new connections away only while asked to", async () => {
  await using wan = await startWan({ target });
  const socket = await dial(wan.port);
  await roundTrip(socket);
  wan.cut({ refuse: true });
  await closed(socket);
  await dial(wan.port).then(closed, () => undefined);
  expect(wan.connections()).toBe(0);
  wan.resume();
  const again = await dial(wan.port);
  await roundTrip(again);
  again.destroy();
});

describe.skipIf(!hasPacketWan)(`a network of packets (${packetWanReason})`, () => {
  const OPTIONS = { connectTimeoutMs: 30_000, keepaliveMs: 60_000 };
  const BYTES = 300_000;
  const PRINT = `head -c ${BYTES} /dev/zero`;

  it("lets no packet of an SSH connection arrive before its time", async () => {
    await using wan = await startPacketWan({ delayMs: 30 });
    await using sshd = await startSshd({ network: wan.network });
    const transport = await openTransport(sshd.resolved, OPTIONS);
    for (let i = 0; i < 3; i++) {
      const start = performance.now();
      const channel = await transport.exec("true");
      expect(performance.now() - start).toBeGreaterThanOrEqual(59);
      channel.stdout.resume();
      channel.stderr.resume();
      await channel.closed;
    }
    await transport.close();
  });

  it("brings all output through where packets get lost, and the connection over an outage of seconds", async () => {
    await using wan = await startPacketWan({ delayMs: 5 });
    await using sshd = await startSshd({ network: wan.network });
    const transport = await openTransport(sshd.resolved, OPTIONS);
    wan.setLoss(0.03);
    const lossy = await transport.exec(PRINT);
    lossy.stderr.resume();
    expect((await text(lossy.stdout)).length).toBe(BYTES);
    wan.setLoss(0);
    const channel = await transport.exec(`sleep 0.5; ${PRINT}`);
    channel.stderr.resume();
    wan.down();
    setTimeout(() => wan.up(), 3000);
    expect((await text(channel.stdout)).length).toBe(BYTES);
    await transport.close();
  });

  it("leaves no namespace and no process behind, nor what a killed run had left", async () => {
    // as a run would leave it that was killed: its pid has another start time by now
    const left = `ocr-wan-${process.pid}-1-0`;
    execFileSync("ip", ["netns", "add", left]);
    const sleeper = spawn(...inNamespace(left, "sleep", ["600"]), { stdio: "ignore" });
    const ended = once(sleeper, "exit");
    const wan = await startPacketWan();
    await ended;
    const sshd = await startSshd({ network: wan.network });
    const namespaces = await readdir("/run/netns");
    expect(namespaces).toContain(wan.network.namespace);
    expect(namespaces).not.toContain(left);
    await wan.stop();
    expect(await readdir("/run/netns")).not.toContain(wan.network.namespace);
    expect(await processName(sshd.pid)).toBeUndefined();
    await sshd.stop();
  });
});
