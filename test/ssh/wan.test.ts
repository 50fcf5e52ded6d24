// The project's own network, before others build on it.
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
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
