// /undo and /redo through the real OpenCode: what the tools changed on the host is put back and made again, commands are named.
import { access, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { type Conversation, startWorld, type World } from "./fixtures/world.js";

// the machine may be busy with other tests
vi.setConfig({ testTimeout: 120_000 });

const PATCHING = "gpt-5-fake";
let world: World;

beforeAll(async () => {
  world = await startWorld({ models: [PATCHING] });
}, 180_000);
afterAll(() => world?.stop(), 60_000);

interface StoredMessage {
  info: { id: string; role: string };
  parts: { id: string; type: string; tool?: string }[];
}

const messages = ({ sessionID }: Conversation) =>
  world.opencode.request<StoredMessage[]>("GET", `/session/${sessionID}/message`, undefined, {
    directory: world.anchor,
  });

/** The ids of the user's messages, oldest first. */
async function prompts(conversation: Conversation): Promise<string[]> {
  return (await messages(conversation)).filter(({ info }) => info.role === "user").map(({ info }) => info.id);
}

/** What the user is told of it. */
async function go({ sessionID }: Conversation, how: "revert" | "unrevert", body = {}): Promise<string> {
  const seen = world.events.all.length;
  await world.opencode.request("POST", `/session/${sessionID}/${how}`, body, { directory: world.anchor, once: true });
  const toast = await world.events.waitFor(
    (event) => event.type === "tui.toast.show" && world.events.all.indexOf(event) >= seen,
  );
  return String(toast.properties.message);
}

const by = (modelID: string) => ({ model: { providerID: "fake", modelID } });
const text = (name: string) => readFile(join(world.work, name), "utf8");
const bash = (command: string) => ({ name: "bash", arguments: { command, description: "a command" } });
const write = (name: string, content: string) => ({
  name: "write",
  arguments: { filePath: join(world.work, name), content },
});

it("an undo leaves the files of edit, write and apply_patch as they were before, names commands, and a redo makes all of it again", async () => {
  const conversation = await world.conversation();
  const before = { edited: "one\ntwo\n", patched: "a\nb\n", gone: "gone\n", moved: "moved\n" };
  for (const [name, content] of Object.entries(before)) await writeFile(join(world.work, name), content);
  const edit = (oldString: string, newString: string) => ({
    name: "edit",
    arguments: { filePath: join(world.work, "edited"), oldString, newString },
  });
  await conversation.say("first", [{ calls: [write("kept", "of the first prompt\n")] }]);
  await conversation.say("second", [
    { calls: [edit("one", "1")] },
    { calls: [edit("two", "2"), write("new/deep", "new\n"), bash("echo x > by-command")] },
  ]);
  const patch = [
    "*** Begin Patch",
    "*** Update File: patched\n@@\n a\n-b\n+B",
    "*** Delete File: gone",
    "*** Add File: added\n+added",
    "*** Update File: moved\n*** Move to: there/moved\n@@\n-moved\n+and changed",
    "*** End Patch",
  ].join("\n");
  await conversation.say(
    "third",
    [{ calls: [{ name: "apply_patch", arguments: { patchText: patch } }] }],
    by(PATCHING),
  );
  const after = (await readdir(world.work)).sort();
  expect(after).toEqual(["added", "by-command", "edited", "kept", "new", "patched", "there"]);

  const [, second, third] = await prompts(conversation);
  const told = await go(conversation, "revert", { messageID: second });
  expect(told).toMatch(/^alpha: put back: /);
  expect(told).toContain("What commands changed is not restored; 1 command ran since: `echo x > by-command`");
  expect((await readdir(world.work)).sort()).toEqual(["by-command", "edited", "gone", "kept", "moved", "patched"]);
  for (const [name, content] of Object.entries(before)) expect(await text(name)).toBe(content);

  expect(await go(conversation, "unrevert")).toMatch(/^alpha: made again: /);
  expect((await readdir(world.work)).sort()).toEqual(after);
  expect([await text("edited"), await text("patched"), await text("there/moved")]).toEqual([
    "1\n2\n",
    "a\nB\n",
    "and changed\n",
  ]);

  // undone, and gone on from there: what was undone is kept no longer, and what is behind it can still be undone
  await writeFile(join(world.work, "patched"), "somebody's\n");
  expect(await go(conversation, "revert", { messageID: third })).toContain(
    "Left as it is: patched (changed since by somebody else).",
  );
  await conversation.say("go on", [{ calls: [write("kept", "changed\n")] }], by("fake"));
  const kept = join(world.host.home, ".opencode-remote-ssh/state/undo", conversation.sessionID);
  await vi.waitFor(async () => {
    const ids = new Set((await messages(conversation)).map(({ info }) => `${info.id}.json`));
    const records = (await readdir(kept)).filter((name) => name.endsWith(".json"));
    expect(records.filter((name) => !ids.has(name))).toEqual([]);
    expect(records).toHaveLength(4);
  }, 30_000);
  await go(conversation, "revert", { messageID: (await prompts(conversation))[0] });
  await expect(access(join(world.work, "kept"))).rejects.toMatchObject({ code: "ENOENT" });
  expect(await text("edited")).toBe("one\ntwo\n");
  await world.opencode.request("DELETE", `/session/${conversation.sessionID}`, undefined, { directory: world.anchor });
  await vi.waitFor(() => expect(access(kept)).rejects.toMatchObject({ code: "ENOENT" }), 30_000);
});

it("an undo that begins in the middle of a message takes back the calls from there on", async () => {
  const conversation = await world.conversation();
  await conversation.say("go", [{ calls: [write("left", "1\n"), write("right", "2\n")] }]);
  const message = (await messages(conversation)).find(({ parts }) => parts.some(({ type }) => type === "tool"));
  const [, part] = message?.parts.filter(({ type }) => type === "tool") ?? [];
  await go(conversation, "revert", { messageID: message?.info.id, partID: part?.id });
  expect(await text("left")).toBe("1\n");
  await expect(access(join(world.work, "right"))).rejects.toMatchObject({ code: "ENOENT" });
});

it("an undo takes back what a subagent changed, too, after OpenCode was restarted", async () => {
  const conversation = await world.conversation();
  await writeFile(join(world.work, "shared"), "before\n");
  const mark = `[subagent ${conversation.sessionID}]`;
  world.model.play(mark, [{ calls: [write("shared", "by the subagent\n"), bash("true # of the subagent")] }]);
  const task = { description: "a task", prompt: mark, subagent_type: "general" };
  await conversation.say("go", [{ calls: [{ name: "task", arguments: task }] }]);
  expect(await text("shared")).toBe("by the subagent\n");
  await world.restart();
  const told = await go(conversation, "revert", { messageID: (await prompts(conversation))[0] });
  expect(told).toContain("put back: shared.");
  expect(told).toContain("`true # of the subagent`");
  expect(await text("shared")).toBe("before\n");
  // it stands reverted while OpenCode is started again; the redo is the first that the plugin hears of the session
  await world.restart();
  expect(await go(conversation, "unrevert")).toBe("alpha: made again: shared.");
  expect(await text("shared")).toBe("by the subagent\n");
});
