// The event stream over a link that breaks: each event once, and what may be missing is announced.
import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { StubClient } from "../../plugin/stub-client/client.js";
import { followCommand } from "../../plugin/stub-client/command-stream.js";
import { type EventGap, followEvents } from "../../plugin/stub-client/events.js";
import type { EventFrame } from "../../protocol/event.js";
import { newID } from "../../protocol/ids.js";
import { type Runtime, startScript } from "../fixtures/bundled-script.js";
import { EventSource } from "../fixtures/event-source.js";
import { identityOf, SocketLink, testApprover } from "../fixtures/socket-link.js";
import { type StubFixture, startStub } from "../fixtures/stub.js";
import { describe } from "../fixtures/with-compiler.js";

const CUTS = 10;
const COMMANDS = 150;

/**
 * Follows the events of a workspace until so many commands have ended, while the link is cut at random points, mostly in the middle of
 * a frame. Prints the greeting, then what it saw.
 */
const FOLLOWER = `
import { followEvents } from "./plugin/stub-client/events.ts";
import { StubClient } from "./plugin/stub-client/client.ts";
import { identityOf, SocketLink, testApprover } from "./test/fixtures/socket-link.ts";

const { installRoot, workspace, cuts, commands, naive } = JSON.parse(process.env.TASK);
const link = new SocketLink({ identity: () => identityOf(installRoot), approvers: "/nonexistent" });
const client = new StubClient(link, testApprover());
const stream = client.stream.bind(client);
let done = 0;
let left = 0;
client.stream = (request, receiver) => {
  if (naive) delete request.headers["last-event-id"];
  left = 200 + Math.floor(Math.random() * 9000);
  return stream(request, {
    ...receiver,
    data: (chunk, flow) => {
      const part = done < cuts && chunk.length > left ? chunk.subarray(0, left) : chunk;
      left -= chunk.length;
      receiver.data(part, flow);
      if (part === chunk) return;
      done += 1;
      link.cut();
    },
  });
};
const ids = [];
const gaps = [];
const ended = new Set();
let opened = 0;
const stop = new AbortController();
await followEvents(client, {
  workspace,
  signal: stop.signal,
  onOpen: () => {
    opened += 1;
    if (opened === 1) console.log("open");
    // Nobody can say when the naive one has all that it will get: with the last cut behind it there is nothing more to show.
    if (naive && done === cuts) stop.abort();
  },
  onGap: (gap) => gaps.push(gap),
  onEvent: ({ payload }, id) => {
    ids.push(id);
    if (payload.type === "command.ended") ended.add(payload.properties.commandID);
    if (ended.size === commands) stop.abort();
  },
});
await client.close();
await link.close();
console.log(JSON.stringify({ bun: typeof Bun !== "undefined", cuts: done, opened, ids, gaps, ended: ended.size }));
`;

interface Followed {
  bun: boolean;
  cuts: number;
  opened: number;
  ids: string[];
  gaps: EventGap[];
  ended: number;
}

describe("the events of a stub", () => {
  let installRoot: string;
  let directory: string;
  let stub: StubFixture;
  let link: SocketLink;
  let client: StubClient;

  beforeAll(async () => {
    directory = await realpath(await mkdtemp(join(tmpdir(), "ocr-events-")));
    installRoot = join(directory, "root");
    stub = await startStub({ installRoot });
    link = new SocketLink({
      identity: () => identityOf(installRoot),
      approvers: join(installRoot, "state/approvers"),
    });
    client = new StubClient(link, testApprover());
  }, 60_000);
  afterAll(async () => {
    await client?.close();
    await link?.close();
    await stub?.stop();
    if (directory) await rm(directory, { recursive: true, force: true });
  });

  const run = async (workspaceID: string) => {
    const commandID = newID("cmd");
    await followCommand(client, { commandID, sessionID: newID("ses"), workspaceID, command: "echo out; true" });
    return commandID;
  };

  /** What a follower saw of the commands' events, and what was there to be seen. */
  async function followed(runtime: Runtime, naive: boolean): Promise<{ seen: Followed; told: string[] }> {
    const workspace = await client.createWorkspace({ type: "test" });
    const other = await client.createWorkspace({ type: "test" });
    await using reference = await EventSource.open(stub, `?workspace=${workspace.id}`);
    await reference.until(() => true);
    const task = { installRoot, workspace: workspace.id, cuts: CUTS, commands: COMMANDS, naive };
    await using follower = await startScript(runtime, FOLLOWER, task);
    const { value: greeting } = await follower.lines.next();
    expect(greeting, (await Promise.race([follower.ended, undefined]))?.stderr).toBe("open");
    for (let round = 0; round < COMMANDS; round += 5) {
      await Promise.all(Array.from({ length: 5 }, () => run(workspace.id)));
      await run(other.id);
    }
    const last = await run(workspace.id);
    const { value: line } = await follower.lines.next();
    const { code, stderr } = await follower.ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    await reference.until(({ payload: { type, properties } }) => {
      return type === "command.ended" && (properties as { commandID: string }).commandID === last;
    });
    const told = reference.seen.filter(({ payload }) => !payload.type.startsWith("server.")).map(({ id }) => id ?? "");
    return { seen: JSON.parse(line) as Followed, told };
  }

  for (const runtime of ["Node", "Bun"] as const) {
    it(`come once each, though the link is cut ${CUTS} times at random points (${runtime})`, async () => {
      const { seen, told } = await followed(runtime, false);
      expect(seen).toMatchObject({ bun: runtime === "Bun", cuts: CUTS, gaps: [], ended: COMMANDS });
      expect(seen.opened).toBeGreaterThanOrEqual(CUTS);
      expect(seen.ids).toEqual(told.slice(0, seen.ids.length));
    }, 120_000);
  }

  it("would be lost by a client that does not say where it was: the control of the test above", async () => {
    const { seen, told } = await followed("Node", true);
    expect(seen.cuts).toBe(CUTS);
    const until = told.indexOf(seen.ids.at(-1) ?? "");
    expect(seen.ids.length).toBeLessThan(until + 1);
  }, 300_000);

  it("are announced as missing where the stub is another one now, and go on", async () => {
    const workspace = await client.createWorkspace({ type: "test" });
    const stop = new AbortController();
    const gaps: EventGap[] = [];
    const frames: EventFrame[] = [];
    const wake: (() => void)[] = [];
    const changed = () => {
      for (const go of wake.splice(0)) go();
    };
    const until = async (check: () => boolean) => {
      while (!check()) await new Promise<void>((resolve) => wake.push(resolve));
    };
    let opened = 0;
    const following = followEvents(client, {
      workspace: workspace.id,
      signal: stop.signal,
      onOpen: () => {
        opened += 1;
        changed();
      },
      onGap: (gap) => {
        gaps.push(gap);
        changed();
      },
      onEvent: (frame) => {
        frames.push(frame);
        changed();
      },
    });
    const isEnded = (commandID: string) => () =>
      frames.some(
        ({ payload: { type, properties } }) =>
          type === "command.ended" && (properties as { commandID: string }).commandID === commandID,
      );
    await until(() => opened === 1);
    await until(isEnded(await run(workspace.id)));
    expect(gaps).toEqual([]);
    await stub.stop("SIGKILL");
    stub = await startStub({ installRoot });
    await until(() => gaps.length === 1);
    expect(gaps[0]).toMatchObject({ reason: "instance", from: expect.stringMatching(/^evt_/), missed: null });
    await until(isEnded(await run(workspace.id)));
    stop.abort();
    await following;
    expect(gaps.length).toBe(1);
  }, 120_000);

  it("end with what the stub refuses, not with another attempt", async () => {
    const signal = AbortSignal.timeout(10_000);
    const ignored = { onEvent: () => undefined, onGap: () => undefined };
    const wrong = followEvents(client, { workspace: "not an id", signal, ...ignored });
    await expect(wrong).rejects.toMatchObject({ code: expect.stringMatching(/^invalid_/) });
  });
});
