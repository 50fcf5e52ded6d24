// The order of OpenCode 1.18.33's events, as it was seen; the host's side is a record of what was asked of it.
import { describe, expect, it } from "vitest";
import type { RunnerSession } from "../../runner/runner.js";
import type { OpencodeClient } from "../opencode-types.js";
import { Reverts } from "./reverts.js";

const OLD = 1;

function story(
  answer: () => Promise<unknown> = async () => ({ changed: [{ path: "/w/a", now: "written" }], left: [] }),
) {
  const asked: unknown[] = [];
  const toasts: string[] = [];
  const session = {
    revert: async (id: string, point: unknown) => {
      asked.push(point === null ? `redo ${id}` : { [id]: point });
      return await answer();
    },
    forgetChanges: async (id: string, what: unknown) => {
      asked.push({ forget: id, what });
    },
  } as unknown as RunnerSession;
  const messages = [
    { info: { id: "msg_1" }, parts: [] },
    {
      info: { id: "msg_2" },
      parts: [
        { id: "prt_1", type: "tool", tool: "write", callID: "call_1" },
        { id: "prt_2", type: "tool", tool: "bash", callID: "call_2", state: { input: { command: "make  all" } } },
      ],
    },
  ];
  const client = {
    session: { messages: async () => ({ data: messages }) },
    tui: {
      showToast: async ({ body }: { body: { message: string } }) => {
        toasts.push(body.message);
      },
    },
  } as unknown as OpencodeClient;
  const reverts = new Reverts({
    host: "alpha",
    directory: () => "/w",
    session: async () => session,
    client,
    anchor: "/anchor",
    forgetFile: () => undefined,
  });
  const removed = (messageID: string) =>
    reverts.handle({ type: "message.removed", properties: { sessionID: "ses_1", messageID } });
  const updated = (revert?: object, created = OLD) => {
    const info = { id: "ses_1", time: { created }, ...(revert && { revert }) };
    reverts.handle({ type: "session.updated", properties: { info } });
  };
  return { asked, toasts, updated, removed, settled: () => new Promise((resolve) => setTimeout(resolve, 20)) };
}

describe("what OpenCode tells of a revert", () => {
  it("is asked of the host once for each point, however often the session is updated", async () => {
    const { asked, toasts, updated, settled } = story();
    const now = Date.now() + 1000;
    updated(undefined, now);
    updated({ messageID: "msg_1" }, now);
    updated({ messageID: "msg_1" }, now);
    updated({ messageID: "msg_2", partID: "prt_2" }, now);
    updated(undefined, now);
    updated(undefined, now);
    await settled();
    expect(asked).toEqual([
      { ses_1: { messageID: "msg_1" } },
      { ses_1: { messageID: "msg_2", callIDs: ["call_2"] } },
      "redo ses_1",
    ]);
    expect(toasts[1]).toBe(
      "alpha: put back: a. What commands changed is not restored; 1 command ran since: `make all`",
    );
    expect(toasts[2]).toBe("alpha: made again: a.");
  });

  it("is no redo where the messages were removed: the session went on from there", async () => {
    const { asked, updated, removed, settled } = story();
    updated({ messageID: "msg_2" });
    removed("msg_2");
    updated();
    await settled();
    expect(asked.slice(1)).toEqual([
      { forget: "ses_1", what: { reverted: true } },
      { forget: "ses_1", what: { messageIDs: ["msg_2"] } },
    ]);
  });

  it("is a redo in a session that is seen for the first time, which may have stood reverted at the start", async () => {
    const { asked, toasts, updated, settled } = story(async () => ({ changed: [], left: [] }));
    updated();
    await settled();
    expect(asked).toEqual(["redo ses_1"]);
    expect(toasts).toEqual([]);
  });

  it("is told as not done where the host does not answer, with the way to do it later", async () => {
    const { toasts, updated, settled } = story(() => Promise.reject(new Error("alpha cannot be reached")));
    updated(undefined, Date.now() + 1000);
    updated({ messageID: "msg_1" });
    await settled();
    expect(toasts).toEqual([
      "Nothing is sure to be put back on alpha: alpha cannot be reached. Once it answers: /redo, then /undo.",
    ]);
  });
});
