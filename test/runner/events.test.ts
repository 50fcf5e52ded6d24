// The event stream over a link that breaks. (What happened while it was down the stub does not keep yet.)
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { StubClient } from "../../plugin/stub-client/client.js";
import { followCommand } from "../../plugin/stub-client/command-stream.js";
import { followEvents } from "../../plugin/stub-client/events.js";
import { newID } from "../../protocol/ids.js";
import { identityOf, SocketLink, testApprover } from "../fixtures/socket-link.js";
import { type StubFixture, startStub } from "../fixtures/stub.js";

describe("the events of a stub", () => {
  let stub: StubFixture;
  let link: SocketLink;
  let client: StubClient;
  let directory: string;

  beforeAll(async () => {
    stub = await startStub();
    directory = await mkdtemp(join(tmpdir(), "ocr-events-"));
    link = new SocketLink({
      identity: () => identityOf(stub.installRoot),
      approvers: join(stub.installRoot, "state/approvers"),
    });
    client = new StubClient(link, testApprover());
  }, 60_000);
  afterAll(async () => {
    await client?.close();
    await link?.close();
    await stub?.stop();
    if (directory) await rm(directory, { recursive: true, force: true });
  });

  it("go on after each cut behind the last one that was seen, none twice, none of another workspace", async () => {
    const workspace = await client.createWorkspace({ type: "test", directory });
    const other = await client.createWorkspace({ type: "test" });
    const stop = new AbortController();
    const ids: string[] = [];
    const resumedFrom: (string | undefined)[] = [];
    const stream = client.stream.bind(client);
    client.stream = (request, receiver) => {
      if (request.path.startsWith("/global/event")) resumedFrom.push(request.headers?.["last-event-id"]);
      return stream(request, receiver);
    };
    const ended = new Waiting<string>();
    const opened = new Waiting<number>();
    let count = 0;
    const following = followEvents(client, {
      workspace: workspace.id,
      signal: stop.signal,
      onOpen: () => opened.add(++count),
      onEvent: ({ payload }, id) => {
        ids.push(id);
        if (payload.type === "command.ended") ended.add((payload.properties as { commandID: string }).commandID);
      },
    });
    const lastBeforeCut: (string | undefined)[] = [undefined];
    const mine: string[] = [];
    for (let round = 1; round <= 5; round++) {
      await opened.has(round);
      await run(other.id);
      mine.push(await run(workspace.id));
      await ended.has(mine.at(-1) ?? "");
      lastBeforeCut.push(ids.at(-1));
      link.cut();
    }
    await opened.has(6);
    stop.abort();
    await following;
    expect(ended.all).toEqual(mine);
    expect(new Set(ids).size).toBe(ids.length);
    expect(resumedFrom).toEqual(lastBeforeCut);
  });

  const run = async (workspaceID: string) => {
    const commandID = newID("cmd");
    await followCommand(client, { commandID, sessionID: newID("ses"), workspaceID, command: "true" });
    return commandID;
  };

  it("end with what the stub refuses, not with another attempt", async () => {
    const signal = AbortSignal.timeout(10_000);
    const wrong = followEvents(client, { workspace: "not an id", signal, onEvent: () => undefined });
    await expect(wrong).rejects.toMatchObject({ code: expect.stringMatching(/^invalid_/) });
  });
});

/** Things that come, and those who wait for one of them. */
class Waiting<T> {
  readonly all: T[] = [];
  #wake: (() => void)[] = [];

  add(value: T): void {
    this.all.push(value);
    for (const wake of this.#wake.splice(0)) wake();
  }

  async has(value: T): Promise<void> {
    while (!this.all.includes(value)) await new Promise<void>((resolve) => this.#wake.push(resolve));
  }
}
