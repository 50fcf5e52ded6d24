import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { Duplex } from "node:stream";
import { afterAll, beforeAll, expect, it } from "vitest";
import { HttpConnection } from "./connection.js";
import type { HttpRequest } from "./exchange.js";

let opened: Socket[] = [];
let answer: (request: IncomingMessage, response: ServerResponse) => void;
const server = createServer((request, response) => answer(request, response));
beforeAll(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});
afterAll(() => void server.close().closeAllConnections());

function connection(): HttpConnection {
  opened = [];
  return new HttpConnection(async () => {
    const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
    await once(socket, "connect");
    opened.push(socket);
    return socket;
  });
}

const GET: HttpRequest = { method: "GET", path: "/", headers: {} };

async function text(from: HttpConnection, request: HttpRequest = GET, signal?: AbortSignal): Promise<string> {
  let body = "";
  const data = (bytes: Uint8Array) => {
    body += Buffer.from(bytes).toString();
  };
  await from.exchange(request, { head: () => undefined, data }, signal);
  return body;
}

it("carries one request after the other on one stream, with every kind of body", async () => {
  answer = async (request, response) => {
    const body: Buffer[] = [];
    for await (const chunk of request) body.push(chunk);
    response.end(`${request.method} ${request.headers["x-a"] ?? ""} ${Buffer.concat(body).toString("latin1").length}`);
  };
  const one = connection();
  const big = Buffer.alloc(300_000, "x");
  expect(await text(one)).toBe("GET  0");
  expect(await text(one, { method: "POST", path: "/", headers: { "x-a": "b" }, body: "\u00e9" })).toBe("POST b 2");
  expect(await text(one, { method: "PUT", path: "/", headers: {}, body: Buffer.from("1234") })).toBe("PUT  4");
  expect(await text(one, { method: "PUT", path: "/", headers: {}, body: big })).toBe("PUT  300000");
  expect(await text(one, { method: "DELETE", path: "/", headers: {} })).toBe("DELETE  0");
  expect(opened).toHaveLength(1);
  one.close();
});

it("sends a request in one packet, head and body", async () => {
  const packets: string[] = [];
  const stream = new Duplex({
    read: () => undefined,
    write(chunk: Buffer, _encoding, done) {
      packets.push(chunk.toString());
      this.push("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
      done();
    },
  });
  const one = new HttpConnection(async () => stream);
  for (const body of ["{}", Buffer.from("{}")]) await text(one, { method: "POST", path: "/", headers: {}, body });
  expect(packets.map((packet) => packet.split("\r\n\r\n")[1])).toEqual(["{}", "{}"]);
});

it("opens a new stream where the old one has ended meanwhile, and after an answer that ends its stream", async () => {
  const one = connection();
  answer = (_, response) => response.end("a");
  expect(await text(one)).toBe("a");
  const closed = once(opened[0] as Socket, "close");
  server.closeIdleConnections();
  await closed;
  answer = (_, response) => response.setHeader("connection", "close").end("b");
  expect(await text(one)).toBe("b");
  answer = (_, response) => response.end("c");
  expect(await text(one)).toBe("c");
  expect(opened).toHaveLength(3);
  one.destroy();
});

it("does not wait for a stream that never opens, once it is aborted or destroyed", async () => {
  const one = new HttpConnection(() => new Promise(() => undefined));
  const stop = new AbortController();
  const aborted = text(one, GET, stop.signal);
  stop.abort();
  await expect(aborted).rejects.toMatchObject({ code: "aborted" });
  const destroyed = text(one);
  one.destroy();
  await expect(destroyed).rejects.toMatchObject({ code: "connection_lost" });
});

it("takes an answer without a length for whole only when its stream has ended well", async () => {
  const halves: Duplex[] = [];
  const one = new HttpConnection(async () => {
    const stream = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() });
    stream.push("HTTP/1.1 200 OK\r\n\r\nall");
    halves.push(stream);
    return stream;
  });
  const whole = text(one);
  await new Promise(setImmediate);
  halves[0]?.push(null);
  expect(await whole).toBe("all");
  const broken = text(one);
  await new Promise(setImmediate);
  halves[1]?.destroy();
  await expect(broken).rejects.toMatchObject({ code: "connection_lost" });
});

it("rejects at once on an abort, and keeps nothing of that answer for the next request", async () => {
  const one = connection();
  const stop = new AbortController();
  answer = (_, response) => void response.write("never to its end");
  const began = one.exchange(GET, { head: () => undefined, data: () => stop.abort() }, stop.signal);
  await expect(began).rejects.toMatchObject({ code: "aborted" });
  answer = (_, response) => response.end("next");
  expect(await text(one)).toBe("next");
  expect(opened.map((socket) => socket.destroyed)).toEqual([true, false]);
  await expect(text(one, GET, AbortSignal.abort())).rejects.toMatchObject({ code: "aborted" });
  one.destroy();
});

it("tells a stream that breaks in the middle of an answer from one that has ended it, and a receiver's error as it is", async () => {
  const one = connection();
  answer = (_, response) => {
    response.writeHead(200, { "content-length": 10 });
    response.write("half", () => response.destroy());
  };
  await expect(text(one)).rejects.toMatchObject({ code: expect.stringMatching(/^(connection_lost|ECONNRESET)$/) });
  answer = (_, response) => response.end("x");
  const failing = one.exchange(GET, {
    head: () => undefined,
    data: () => {
      throw new SyntaxError("mine");
    },
  });
  await expect(failing).rejects.toThrow("mine");
  one.destroy();
  await expect(text(one)).rejects.toMatchObject({ code: "connection_lost" });
});

it("reads no more while its receiver has asked for a pause, and is fit for the next request after it", async () => {
  const one = connection();
  const size = 8 * 1024 * 1024;
  answer = (_, response) => response.end(Buffer.alloc(size));
  let bytes = 0;
  let pauses = 0;
  await one.exchange(GET, {
    head: () => undefined,
    data: (chunk, flow) => {
      bytes += chunk.length;
      if (pauses === 50) return;
      pauses += 1;
      const before = bytes;
      flow.pause();
      setImmediate(() => {
        expect(bytes).toBe(before);
        flow.resume();
      });
    },
  });
  expect([bytes, pauses]).toEqual([size, 50]);
  answer = (_, response) => response.end("next");
  expect(await text(one)).toBe("next");
  expect(opened).toHaveLength(1);
  one.destroy();
});

it("sends nothing that could become another header or another request", async () => {
  const one = connection();
  answer = (_, response) => response.end("sent");
  for (const request of [
    { ...GET, path: "/ HTTP/1.1\r\nx: y" },
    { ...GET, path: "" },
    { ...GET, headers: { a: "b\r\nc: d" } },
  ]) {
    await expect(text(one, request)).rejects.toMatchObject({ code: "invalid_request" });
  }
  one.destroy();
});
