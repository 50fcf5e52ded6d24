// The event stream: at once, alive, complete, resumed, and without leaks.
import { mkdtemp, readdir, realpath, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { newID } from "../../protocol/ids.js";
import { EventBus } from "../../stub/events/bus.js";
import { EventClients } from "../../stub/events/clients.js";
import { EventSource, type SseEvent } from "../fixtures/event-source.js";
import { rssOf } from "../fixtures/memory.js";
import { describe } from "../fixtures/with-compiler.js";
import { eventually, type Workbench, workbench } from "../fixtures/workbench.js";

let bench: Workbench;
beforeAll(async () => {
  bench = await workbench();
});
afterAll(() => bench.stub.stop());

const MEGABYTE = 1024 * 1024;

/** Session titles, in the order in which they were told. */
const titlesOf = (seen: SseEvent[]) =>
  seen
    .filter(({ payload }) => payload.type === "session.updated")
    .map(({ payload }) => (payload.properties as { info: { title: string } }).info.title);
const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => `t${from + index}`);
const gapOf = (seen: SseEvent[]) => seen.find(({ payload }) => payload.type === "stub.gap")?.payload.properties;
const isTitle = (title: string) => (event: SseEvent) => titlesOf([event])[0] === title;

/** A session whose title changes from `t<from>` to `t<to - 1>`: an event each. */
async function session(workspaceID: string, at: Workbench = bench) {
  const id = newID("ses");
  await at.send("/session", { body: { id, workspaceID } });
  return async (from: number, to: number) => {
    for (const title of numbers(from, to)) await at.send(`/session/${id}`, { method: "PATCH", body: { title } });
  };
}

/** Descriptors that the stub has open. */
const sockets = async () => (await readdir(`/proc/${bench.stub.pid}/fd`)).length;

const resumed = (id: string | undefined, query = "", headers: Record<string, string> = {}) =>
  EventSource.open(bench.stub, query, { "last-event-id": id ?? "", ...headers });

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

  it("of 50 clients x 2,000 events while 16 commands print, none is lost, doubled or out of order (row 36)", async () => {
    const workspace = await bench.workspace();
    const query = `?workspace=${workspace.id}`;
    const clients = await Promise.all(Array.from({ length: 50 }, () => EventSource.open(bench.stub, query)));
    for (const client of clients) await client.until(() => true);
    const body = { sessionID: newID("ses"), workspaceID: workspace.id };
    const printing = Array.from({ length: 16 }, () => newID("cmd"));
    const command = "while :; do echo x; sleep 0.05; done";
    for (const commandID of printing) await bench.send("/command", { body: { ...body, commandID, command } });
    const quick = Array.from({ length: 1000 }, () => newID("cmd"));
    const left = quick.values();
    const worker = async () => {
      for (const commandID of left)
        await bench.send("/command?follow=1", { body: { ...body, commandID, command: "true" } });
    };
    await Promise.all(Array.from({ length: 8 }, worker));
    for (const commandID of printing) await bench.send(`/command/${commandID}/cancel`, { method: "POST" });
    const commandOf = ({ payload }: SseEvent) => (payload.properties as { commandID: string }).commandID;
    const happened = (client: EventSource, type: string) =>
      client.seen.filter(({ payload }) => payload.type === type).map(commandOf);
    for (const client of clients) {
      await eventually(async () => (happened(client, "command.ended").length >= 1016 ? true : undefined));
      for (const type of ["command.started", "command.ended"]) {
        expect(happened(client, type).sort()).toEqual([...quick, ...printing].sort());
      }
      expect(new Set(happened(client, "command.output"))).toEqual(new Set(printing));
      expect(gapOf(client.seen)).toBe(undefined);
    }
    const events = (client: EventSource | undefined) =>
      client?.seen.filter(({ payload }) => !payload.type.startsWith("server.")).map(({ id }) => id);
    const where = { workspace: workspace.id, directory: workspace.directory, project: "global" };
    expect(await clients[0]?.until(({ payload }) => payload.type === "command.ended")).toMatchObject(where);
    const all = events(clients[0]);
    expect(all?.length).toBeGreaterThan(2000);
    expect(all).toEqual([...new Set(all)].sort());
    for (const client of clients) expect(events(client)).toEqual(all);
    for (const client of clients) await client[Symbol.asyncDispose]();
  }, 300_000);

  it("goes on behind Last-Event-ID: what happened meanwhile comes first, each event once", async () => {
    const workspace = await bench.workspace();
    const query = `?workspace=${workspace.id}`;
    const rename = await session(workspace.id);
    const before = await EventSource.open(bench.stub, query);
    await before.until(() => true);
    await rename(0, 3);
    const last = await before.until(isTitle("t1"));
    await before[Symbol.asyncDispose]();
    await rename(3, 6);
    await using after = await resumed(last.id, query);
    await rename(6, 9);
    await after.until(isTitle("t8"));
    expect(after.seen[0]?.payload.type).toBe("server.connected");
    expect(titlesOf(after.seen)).toEqual(numbers(2, 9));
    expect(gapOf(after.seen)).toBe(undefined);
    await using again = await resumed(after.seen[0]?.id, query);
    await again.until(isTitle("t8"));
    expect(titlesOf(again.seen)).toEqual(numbers(2, 9));
  });

  it("tells of nothing in a workspace of another installation, live or replayed; its own to the last event", async () => {
    const foreign = await (await bench.stub.registerApprover()).secret();
    const mine = await bench.workspace();
    const directory = await bench.outside("foreign");
    const body = { id: newID("wrk"), type: "test", directory };
    await using all = await EventSource.open(bench.stub);
    const start = await all.until(() => true);
    await using live = await EventSource.open(bench.stub, "", { "x-approver": foreign });
    await live.until(() => true);
    await bench.send("/experimental/workspace", { body, approver: foreign });
    await (await session(mine.id))(0, 3);
    await (await session(body.id))(3, 5);
    await bench.send(`/experimental/workspace/${mine.id}`, { method: "DELETE", approver: bench.approver });
    await bench.send(`/experimental/workspace/${body.id}`, { method: "DELETE", approver: foreign });
    await using replayed = await resumed(start.id, "", { "x-approver": foreign });
    for (const stream of [live, replayed]) {
      await stream.until(({ payload, workspace }) => payload.type === "workspace.deleted" && workspace === body.id);
      const told = stream.seen.filter(({ workspace }) => workspace !== undefined);
      expect(new Set(told.map(({ workspace }) => workspace))).toEqual(new Set([body.id]));
      expect(titlesOf(stream.seen)).toEqual(["t3", "t4"]);
    }
    // The bearer without an approver sees both: what was kept from the other was there to be seen.
    await all.until(({ payload, workspace }) => payload.type === "workspace.deleted" && workspace === body.id);
    const both = all.seen.filter(({ workspace }) => workspace === mine.id || workspace === body.id);
    expect(titlesOf(both)).toEqual(numbers(0, 5));
  });

  it("announces a gap to whoever comes with another stub's id, until that was told", async () => {
    const installRoot = join(await realpath(await mkdtemp(join(tmpdir(), "ocrs-event-"))), "root");
    const first = await workbench({ installRoot });
    let id: string | undefined;
    {
      await using events = await EventSource.open(first.stub);
      id = (await events.until(() => true)).id;
      await first.stub.stop();
    }
    const second = await workbench({ installRoot });
    const workspace = await second.workspace();
    const rename = await session(workspace.id, second);
    for (const from of [id, "no id at all"]) {
      await using events = await EventSource.open(second.stub, "", { "last-event-id": from ?? "" });
      const gap = await events.until(({ payload }) => payload.type === "stub.gap");
      const known = from === id ? id : null;
      expect(gap.payload.properties).toEqual({ reason: "instance", from: known, to: expect.any(String), missed: null });
      expect(events.seen.map(({ payload }) => payload.type)).toEqual(["server.connected", "stub.gap"]);
      // Cut between the greeting and the gap: it is told again. Cut behind it: the stream goes on.
      await using cutBefore = await EventSource.open(second.stub, "", { "last-event-id": events.seen[0]?.id ?? "" });
      await cutBefore.until(({ payload }) => payload.type === "stub.gap");
      await rename(0, 2);
      await using cutBehind = await EventSource.open(second.stub, "", { "last-event-id": gap.id ?? "" });
      await cutBehind.until(isTitle("t1"));
      expect(titlesOf(cutBehind.seen)).toEqual(["t0", "t1"]);
      expect(gapOf(cutBehind.seen)).toBe(undefined);
    }
    await second.stub.stop();
    await rm(join(installRoot, ".."), { recursive: true, force: true });
  }, 120_000);

  it("drops a client that does not read, in bounded memory; the others get all, and it comes back to the rest or a gap", async () => {
    const workspace = await bench.workspace();
    const query = `?workspace=${workspace.id}`;
    const id = newID("ses");
    await bench.send("/session", { body: { id, workspaceID: workspace.id } });
    const shell = (size: number) =>
      bench.send(`/session/${id}/shell`, { body: { command: `head -c ${size} /dev/zero | tr '\\0' x` } });
    const rounds = 12;
    {
      // What the work itself takes is not what is measured.
      await using warm = await EventSource.open(bench.stub, query);
      await warm.until(() => true);
      for (let round = 0; round < 2 * rounds; round += 1) await shell(900_000);
    }
    const before = await rssOf(bench.stub.pid);
    await using reader = await EventSource.open(bench.stub, query);
    const start = await reader.until(() => true);
    const open = await sockets();
    const lazy = Array.from({ length: 20 }, () => connect(bench.stub.json.port, "127.0.0.1"));
    const closed = Promise.all(lazy.map((socket) => new Promise((resolve) => socket.once("close", resolve))));
    for (const socket of lazy) {
      const head = `GET /global/event${query} HTTP/1.1\r\nhost: stub\r\nauthorization: Bearer ${bench.stub.token}\r\n`;
      socket.write(`${head}last-event-id: ${start.id}\r\n\r\n`);
      await new Promise((resolve) => socket.once("readable", resolve));
      socket.on("error", () => undefined);
    }
    for (let round = 0; round < rounds; round += 1) await shell(900_000);
    await reader.until(({ payload }) => payload.type === "session.idle");
    const grown = (await rssOf(bench.stub.pid)) - before;
    // Dropped while they still do not read; what the stub had sent by then is all that they find.
    await eventually(async () => ((await sockets()) <= open + 2 ? true : undefined));
    for (const socket of lazy) socket.resume();
    await closed;
    const idles = await eventually(async () => {
      const all = reader.seen.filter(({ payload }) => payload.type === "session.idle");
      return all.length === rounds ? all : undefined;
    });
    expect(gapOf(reader.seen)).toBe(undefined);
    expect(grown).toBeLessThan(64 * MEGABYTE);
    await using back = await resumed(start.id, query);
    await back.until(({ id: seen }) => seen === idles.at(-1)?.id);
    expect(gapOf(back.seen)).toMatchObject({ reason: "evicted", from: start.id });
    const { to, missed } = gapOf(back.seen) as { to: string; missed: number };
    const told = reader.seen.filter(({ payload }) => !payload.type.startsWith("server.")).map((event) => event.id);
    const replayed = back.seen
      .filter(({ payload }) => !/^(server|stub)[.]/.test(payload.type))
      .map((event) => event.id);
    expect(replayed).toEqual(told.slice(told.length - replayed.length));
    expect(told.length - replayed.length).toBe(missed);
    expect(to).toBe(told[missed - 1]);
  }, 300_000);

  it("a client that goes leaves nothing behind: after 300 of them the stub has as many sockets as before (row 36)", async () => {
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
    const server: Server = createServer((request, response) => {
      const lastEventID = request.headers["last-event-id"]?.toString();
      void clients.add(request, response, { accepts: () => true, lastEventID });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const stub = { fetch: (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${port}${path}`, init) };
    const open = (lastEventID?: string) =>
      EventSource.open(stub as never, "", lastEventID === undefined ? {} : { "last-event-id": lastEventID });
    const close = () => {
      clients.close();
      server.close();
    };
    return { bus, clients, open, [Symbol.dispose]: close };
  }

  const ofType = (type: string) => (event: SseEvent) => event.payload.type === type;

  it("beats, so that neither side takes it for dead, and a client goes on behind a beat (row 36)", async () => {
    using server = await served({ heartbeatMs: 20 });
    const events = await server.open();
    await eventually(async () => (events.seen.length > 4 ? true : undefined));
    server.bus.publish({ type: "seen", properties: {} });
    await events.until(ofType("seen"));
    const count = events.seen.length;
    const beat = await eventually(async () => events.seen.slice(count).find(ofType("server.heartbeat")));
    expect(events.seen.map(({ id }) => id)).toEqual(events.seen.map(({ id }) => id).sort());
    await events[Symbol.asyncDispose]();
    server.bus.publish({ type: "unseen", properties: {} });
    const back = await server.open(beat.id);
    await back.until(ofType("unseen"));
    expect(back.seen.some(ofType("seen"))).toBe(false);
    server.clients.close();
    await back.ended;
    expect(server.clients.size).toBe(0);
  });

  it("that comes back for more than is kept hears how much is gone, then all the rest", async () => {
    using server = await served({ replay: { events: 10, bytes: 1000 } });
    await using events = await server.open();
    const start = await events.until(() => true);
    for (let round = 0; round < 25; round += 1) server.bus.publish({ type: `e${round}`, properties: {} });
    const last = await events.until(ofType("e24"));
    await using back = await server.open(start.id);
    await back.until(ofType("e24"));
    const replayed = back.seen.slice(2).map(({ payload }) => payload.type);
    const missed = 25 - replayed.length;
    expect(missed).toBeGreaterThan(15);
    expect(replayed).toEqual(Array.from({ length: replayed.length }, (_, index) => `e${missed + index}`));
    const to = events.seen.find(ofType(`e${missed - 1}`))?.id;
    expect(back.seen[1]?.payload).toMatchObject({
      type: "stub.gap",
      properties: { reason: "evicted", from: start.id, to, missed },
    });
    await using upToDate = await server.open(last.id);
    await upToDate.until(() => true);
    expect(gapOf(upToDate.seen)).toBe(undefined);
  });

  it("costs nothing before the first client, and its events are let go, with a gap, a while after the last one", async () => {
    using server = await served({ keepMs: 50 });
    expect(server.bus.size).toBe(0);
    const events = await server.open();
    const start = await events.until(() => true);
    expect(server.bus.size).toBe(1);
    await events[Symbol.asyncDispose]();
    await eventually(async () => (server.bus.size === 0 ? true : undefined));
    server.bus.publish({ type: "nobody there", properties: {} });
    await using back = await server.open(start.id);
    const gap = await back.until(ofType("stub.gap"));
    expect(gap.payload.properties).toMatchObject({ reason: "evicted", from: start.id });
  });

  it("is written later than its events are published, so that publishing holds up no answer", async () => {
    using server = await served({});
    await using events = await server.open();
    await events.until(() => true);
    let written = 0;
    const toJSON = () => {
      written += 1;
      return {};
    };
    server.bus.publish({ type: "late", properties: { toJSON } });
    expect(written).toBe(0);
    await using other = await server.open();
    await Promise.all([events.until(ofType("late")), other.until(() => true)]);
    expect(written).toBe(1);
  });

  it("gets all of a burst that is larger than what is kept, as long as it reads", async () => {
    using server = await served({ replay: { events: 2000, bytes: 2 * MEGABYTE } });
    await using events = await server.open();
    await events.until(() => true);
    const text = "x".repeat(2000);
    for (let round = 0; round < 6000; round += 1) server.bus.publish({ type: "burst", properties: { round, text } });
    await eventually(async () => (events.seen.length > 6000 ? true : undefined));
    const rounds = events.seen
      .filter(ofType("burst"))
      .map(({ payload }) => (payload.properties as { round: number }).round);
    expect(rounds).toEqual(Array.from({ length: 6000 }, (_, round) => round));
  });
});
