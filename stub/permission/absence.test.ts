import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Workspace } from "../../protocol/workspace.js";
import { EventBus } from "../events/bus.js";
import { JsonStore } from "../state/store.js";
import { denyWhenAbsent } from "./absence.js";
import { Asks } from "./asks.js";
import { KeptAsk } from "./asks-on-disk.js";
import type { Question, QuestionPath } from "./question.js";

const workspace = { id: "wrk_aaaaaaaa", approver: "0123456789abcdef", directory: "/w" } as Workspace;
const question = {
  workspace,
  sessionID: null,
  permission: "external_directory",
  paths: [asked("/etc")],
  reason: "test",
} satisfies Question;
const log = { warn: () => undefined };

function asked(path: string): QuestionPath {
  return { path, access: "read", kind: "directory", always: { path, kind: "directory" } };
}

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "ocrs-asks-"));
});
afterEach(async () => {
  vi.useRealTimers();
  await rm(folder, { recursive: true, force: true });
});

/** What is asked, as a stub that starts now sees it. */
async function openAsks(now?: () => number): Promise<Asks> {
  const store = await JsonStore.open(folder, KeptAsk, { log, problems: { add: () => undefined } });
  return new Asks({
    bus: new EventBus(),
    store,
    audit: { write: () => undefined },
    workspace: () => workspace,
    log,
    now,
  });
}

it("an ask waits as long as a client is connected, and is denied when nobody is there for the time limit", async () => {
  const asks = await openAsks();
  const { answered, ask } = await asks.raise(question, "told");
  let connected = true;
  using _watch = denyWhenAbsent({ asks, connected: () => connected, limitMs: 40, log });
  await pause(200);
  expect(asks.pending()).toEqual([ask]);
  connected = false;
  expect(await answered).toMatchObject({ reply: "reject", message: "nobody was there to answer" });
  expect(() => asks.require(ask.id)).toThrow(expect.objectContaining({ code: "permission_replied" }));
});

it("the ask of a request that never comes back ends by itself; one that its client was told of does not", async () => {
  let now = 0;
  const before = await openAsks();
  await before.raise(question, "waited");
  const { ask: told } = await before.raise({ ...question, paths: [asked("/usr")] }, "told");
  const asks = await openAsks(() => now);
  expect(asks.pending()).toHaveLength(2);
  now = 999;
  await asks.sweep(1000);
  expect(asks.pending()).toHaveLength(2);
  now = 1000;
  await asks.sweep(1000);
  expect(asks.pending()).toEqual([told]);
  expect((await openAsks()).pending()).toEqual([told]);
});

it.each([1, -1])("a wall clock that jumps by %i day changes nothing for what is pending", async (days) => {
  vi.useFakeTimers({ toFake: ["Date"] });
  const asks = await openAsks();
  await asks.raise(question, "waited");
  vi.setSystemTime(Date.now() + days * 24 * 3600 * 1000);
  using _watch = denyWhenAbsent({ asks, connected: () => false, limitMs: 60_000, log });
  await asks.sweep(60_000);
  expect(asks.pending()).toHaveLength(1);
  expect((await openAsks()).pending()).toHaveLength(1);
});
