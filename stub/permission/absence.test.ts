import { setTimeout as pause } from "node:timers/promises";
import { expect, it } from "vitest";
import type { Workspace } from "../../protocol/workspace.js";
import { EventBus } from "../events/bus.js";
import { denyWhenAbsent } from "./absence.js";
import { Asks } from "./asks.js";

const workspace = { id: "wrk_aaaaaaaa", approver: "0123456789abcdef", directory: "/w" } as Workspace;
const question = {
  workspace,
  sessionID: null,
  path: "/etc",
  access: "read",
  kind: "directory",
  always: { path: "/etc", kind: "directory" },
  reason: "test",
} as const;

it("an ask waits as long as a client is connected, and is denied when nobody is there for the time limit", async () => {
  const asks = new Asks(new EventBus());
  const { answered, ask } = asks.raise(question);
  let connected = true;
  using _watch = denyWhenAbsent({ asks, connected: () => connected, limitMs: 40 });
  await pause(200);
  expect(asks.pending()).toEqual([ask]);
  connected = false;
  expect(await answered).toMatchObject({ reply: "reject", message: "nobody was there to answer" });
  expect(() => asks.require(ask.id)).toThrow(expect.objectContaining({ code: "permission_replied" }));
});
