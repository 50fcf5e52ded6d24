// The event stream: at once, alive, complete, and without leaks.
import { readdir } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newID } from "../../protocol/ids.js";
import { EventBus } from "../../stub/events/bus.js";
import { EventClients } from "../../stub/events/clients.js";
import { EventSource } from "../fixtures/event-source.js";
import { eventually, type Workbench, workbench } from "../fixtures/workbench.js";

let bench: Workbench;
beforeAll(async () => {
  bench = await workbench();
});
afterAll(() => bench.stub.stop());

describe("GET /global/event", () => {
  it("sends headers and server.connected at once, in OpenCode's frames, each with an id (row 36)", async () => {
    await using events = await EventSource.open(bench.stub);
    const first = await events.until(() => true);
    expect(first.payload).toMatchObject({ type: "server.connected", properties: {} });
    expect(first.payload.id).toMatch(/^evt_/);
    expect(first.id).toBe(first.payload.id);
  });

  it("tells each client of its own workspace only where it asks for that, and names workspace and directory", async () => {
    const [one, two] = [await bench.workspace(), await bench.workspace()];
    await using all = await EventSource.open(bench.stub);
    await using filtered = await EventSource.open(bench.stub, `?workspace=${one.id}`);
    await bench.send("/session", { body: { id: newID("ses"), workspaceID: two.id } });
    await bench.send("/session", { body: { id: newID("ses"), workspaceID: one.id } });
    const mine = await filtered.until(({ payload }) => payload.type === "session.created");
    expect(mine).toMatchObject({ workspace: one.id, directory: one.directory });
    await all.until(({ workspace, payload }) => workspace === one.id && payload.type === "session.created");
    expect(
      all.seen.filter(({ payload }) => payload.type === "session.created").map(({ workspace }) => workspace),
    ).toEqual([two.id, one.id]);
    expect(filtered.seen.some(({ workspace }) => workspace === two.id)).toBe(false);
    const other = await (await bench.stub.registerApprover()).secret();
    expect((await bench.send(`/global/event?workspace=${one.id}`, { approver: other })).status).toBe(403);
    expect((await bench.send(`/global/event?workspace=${newID("wrk")}`)).status).toBe(404);
  });

  it("tells of asks and answers as OpenCode does", async () => {
    const workspace = await bench.workspace();
    await using events = await EventSource.open(bench.stub, `?workspace=${workspace.id}`);
    await bench.send("/file/stat?path=/etc&onAsk=fail", { workspace: workspace.id });
    const asked = await events.until(({ payload }) => payload.type === "permission.asked");
    const { id } = asked.payload.properties as { id: string };
    await bench.reply(id, "once");
    const replied = await events.until(({ payload }) => payload.type === "permission.replied");
    expect(replied.payload.properties).toEqual({ sessionID: null, requestID: id, reply: "once" });
  });

  it("of 50 clients and 200 events none is lost, doubled or out of order (row 36)", async () => {
    const workspace = await bench.workspace();
    const id = newID("ses");
    await bench.send("/session", { body: { id, workspaceID: workspace.id } });
    const clients = await Promise.all(
      Array.from({ length: 50 }, () => EventSource.open(bench.stub, `?workspace=${workspace.id}`)),
    );
    for (const client of clients) await client.until(() => true);
    for (let round = 0; round < 200; round += 1) {
      await bench.send(`/session/${id}`, { method: "PATCH", body: { title: `t${round}` } });
    }
    const expected = Array.from({ length: 200 }, (_, round) => `t${round}`);
    for (const client of clients) {
      await client.until(({ payload }) => JSON.stringify(payload.properties).includes('"t199"'));
      const titles = client.seen
        .filter(({ payload }) => payload.type === "session.updated")
        .map(({ payload }) => (payload.properties as { info: { title: string } }).info.title);
      expect(titles).toEqual(expected);
      await client[Symbol.asyncDispose]();
    }
  });

  it("a client that goes leaves nothing behind: after 300 of them the stub has as many sockets as before (row 36)", async () => {
    const sockets = async () => (await readdir(`/proc/${bench.stub.pid}/fd`)).length;
    await bench.send("/global/health");
    const before = await sockets();
    for (let round = 0; round < 300; round += 1) {
      const socket = connect(bench.stub.json.port, "127.0.0.1");
      socket.write(`GET /global/event HTTP/1.1\r\nhost: stub\r\nauthorization: Bearer ${bench.stub.token}\r\n\r\n`);
      await new Promise((resolve) => socket.once("data", resolve));
      socket.destroy();
    }
    const after = await eventually(async () => {
      const now = await sockets();
      return now <= before + 2 ? now : undefined;
    });
    expect(after).toBeLessThanOrEqual(before + 2);
  });
});

describe("each stream", () => {
  async function served(options: ConstructorParameters<typeof EventClients>[1]) {
    const bus = new EventBus();
    const clients = new EventClients(bus, options);
    const server: Server = createServer((request, response) => void clients.add(request, response, () => true));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const stub = {
      fetch: (path: string, init?: { signal?: AbortSignal }) => fetch(`http://127.0.0.1:${port}${path}`, init),
    };
    return { bus, clients, port, stub: stub as Workbench["stub"], close: () => server.close() };
  }

  it("beats, so that neither side takes it for dead (row 36)", async () => {
    const { stub, clients, close } = await served({ heartbeatMs: 20 });
    await using events = await EventSource.open(stub);
    await events.until(({ payload }) => payload.type === "server.heartbeat");
    await eventually(async () => (events.seen.length > 4 ? true : undefined));
    clients.close();
    await events.ended;
    expect(clients.size).toBe(0);
    close();
  });

  it("that nobody reads is dropped before its backlog costs memory; the others go on", async () => {
    const { bus, clients, port, stub, close } = await served({ backlogLimit: 1024 * 1024 });
    await using reader = await EventSource.open(stub);
    const lazy = connect(port, "127.0.0.1");
    lazy.pause();
    lazy.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    await eventually(async () => (clients.size === 2 ? true : undefined));
    const text = "x".repeat(100_000);
    for (let round = 0; round < 200; round += 1) {
      bus.publish({ type: "big", properties: { round, text } });
      await new Promise((resolve) => setImmediate(resolve));
      if (clients.size === 1) break;
    }
    expect(clients.size).toBe(1);
    bus.publish({ type: "last", properties: {} });
    await reader.until(({ payload }) => payload.type === "last");
    lazy.destroy();
    clients.close();
    close();
  });
});
