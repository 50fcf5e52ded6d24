// `POST /command?follow=1` as our client sends it goes past the framework. Whoever sends it a little differently must not notice.
import { connect } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { newID } from "../../protocol/ids.js";
import type { StubFetchOptions } from "../fixtures/stub.js";
import { describe } from "../fixtures/with-compiler.js";
import { type Workbench, workbench } from "../fixtures/workbench.js";

let bench: Workbench;
beforeAll(async () => {
  bench = await workbench();
});
afterAll(() => bench.stub.stop());

/** The charset is what tells the two ways apart. */
const WAYS = { lane: "application/json", road: "application/json; charset=utf-8" };

async function ask(way: keyof typeof WAYS, text: string, options: StubFetchOptions = {}) {
  const answer = await bench.stub.fetch("/command?follow=1", {
    approver: bench.approver,
    ...options,
    method: "POST",
    body: new TextEncoder().encode(text),
    headers: { "content-type": WAYS[way], ...options.headers },
  });
  const headers = Object.fromEntries(answer.headers);
  return {
    status: answer.status,
    type: headers["content-type"],
    www: headers["www-authenticate"],
    text: await answer.text(),
  };
}

/** Until the answer is complete. */
function byteByByte(bytes: Uint8Array): Promise<string> {
  const { token, json } = bench.stub;
  return new Promise((resolve, reject) => {
    let heard = "";
    const socket = connect({ port: json.port, host: "127.0.0.1", noDelay: true });
    socket.on("error", reject);
    socket.on("close", () => resolve(heard));
    socket.on("data", (chunk: Buffer) => {
      heard += chunk.toString("latin1");
      if (heard.includes('"exited"')) socket.end();
    });
    const head = [
      "POST /command?follow=1 HTTP/1.1",
      "host: stub",
      `authorization: Bearer ${token}`,
      `x-approver: ${bench.approver}`,
      `content-type: ${WAYS.lane}`,
      `content-length: ${bytes.length}`,
    ];
    socket.write(`${head.join("\r\n")}\r\n\r\n`);
    const sendNext = (at: number) => {
      if (at < bytes.length) socket.write(bytes.subarray(at, at + 1), () => setImmediate(sendNext, at + 1));
    };
    sendNext(0);
  });
}

const REFUSED: [string, string, StubFetchOptions?][] = [
  ["what is no JSON", "{"],
  ["a body of another shape", '{"commandID":5}'],
  [
    "a field that nobody knows",
    JSON.stringify({ commandID: newID("cmd"), sessionID: newID("ses"), command: "true", nonsense: 1 }),
  ],
  [
    "a session that is not there",
    JSON.stringify({ commandID: newID("cmd"), sessionID: newID("ses"), command: "true" }),
  ],
  ["a wrong token", "{}", { headers: { authorization: "Bearer no" } }],
  ["an Origin", "{}", { headers: { origin: "http://evil" } }],
  ["an expired secret", "{}", { approver: "gone" }],
];

describe("a command past the framework", () => {
  it.each(REFUSED)("is refused as on the road: %s", async (_, text, options) => {
    const [lane, road] = [await ask("lane", text, options), await ask("road", text, options)];
    expect(lane).toEqual(road);
    expect(lane.status).toBeGreaterThanOrEqual(400);
  });

  it("is the same command as one that came by the road", async () => {
    const { id: workspaceID } = await bench.workspace();
    const text = JSON.stringify({
      commandID: newID("cmd"),
      sessionID: newID("ses"),
      workspaceID,
      command: "echo once",
    });
    const [lane, road] = [await ask("lane", text), await ask("road", text)];
    expect(lane.status).toBe(200);
    expect(lane.text).toContain("once\n");
    expect(road.status).toBe(200);
    expect(road.text).toContain("once\n");
  });

  it("comes in pieces as well, one byte after the other", async () => {
    const { id: workspaceID } = await bench.workspace();
    const bytes = new TextEncoder().encode(
      JSON.stringify({ commandID: newID("cmd"), sessionID: newID("ses"), workspaceID, command: "echo pieces" }),
    );
    const heard = await byteByByte(bytes);
    expect(heard).toContain("pieces\n");
  });
});
