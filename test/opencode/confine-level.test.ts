// What the user and the model are told of how commands are held: once in each session, again where it is lower, never more than is so.
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { type Said, startWorld, type World } from "./fixtures/world.js";

// the machine may be busy with other tests
vi.setConfig({ testTimeout: 120_000 });

let world: World;
beforeAll(async () => {
  // nothing is said of what lies outside: that OpenCode asks about by itself
  const permission = { bash: { "*": "allow", "rm *": "ask" }, edit: "ask", read: "ask", grep: "ask", glob: "ask" };
  world = await startWorld({ config: { permission } });
}, 180_000);
afterAll(async () => {
  await world?.stop();
}, 60_000);

const bash = (command: string, more = {}) => ({ calls: [{ name: "bash", arguments: { command, ...more } }] });
const levelOf = (said: Said) => said.tools.map((tool) => tool.state?.metadata?.enforcement);
const toasts = () =>
  world.events.all
    .filter(({ type }) => type === "tui.toast.show")
    .map(({ properties }) => properties as { message: string; variant: string });

it("the level and its named gaps are in the first result of a session, in every result's metadata, and shown to the user once", async () => {
  const conversation = await world.conversation();
  const said = await conversation.say("go", [bash("echo one"), bash("echo two")]);
  const [first, second] = said.told;
  expect(first).toMatch(/alpha: enforcement (landlock|mount|mount\+landlock): the kernel holds .*not held: .*network/);
  expect(second).toBe("two\n");
  expect(levelOf(said)).toEqual([expect.stringMatching(/landlock|mount/), expect.stringMatching(/landlock|mount/)]);
  await vi.waitFor(() => expect(toasts()).toHaveLength(1), 30_000);
  expect(toasts()[0]).toMatchObject({ variant: "info", message: expect.stringContaining("the kernel holds") });
  const other = await world.conversation();
  expect((await other.say("go", [bash("echo three")])).told[0]).toContain("alpha: enforcement");
});

/** Names that the plugin's source asks with. */
async function namesAskedWith(): Promise<string[]> {
  const folder = join(import.meta.dirname, "../../plugin/opencode-v1");
  const names = new Set<string>();
  for (const file of await readdir(folder, { recursive: true })) {
    if (!file.endsWith(".ts") || file.endsWith(".test.ts")) continue;
    for (const [, name = ""] of (await readFile(join(folder, file), "utf8")).matchAll(/permission: "(\w+)"/g))
      names.add(name);
  }
  return [...names].sort();
}

it("every name that the plugin asks with is one that OpenCode prompts for: it lets pass in silence what it has no rule for", async () => {
  const conversation = await world.conversation();
  const call = (name: string, args: Record<string, unknown>) => ({ calls: [{ name, arguments: args }] });
  const saying = conversation.say("go", [
    call("write", { filePath: join(world.anchor, "asked.txt"), content: "asked\n" }),
    call("read", { filePath: join(world.anchor, "asked.txt") }),
    call("grep", { pattern: "asked" }),
    call("glob", { pattern: "*.txt" }),
    bash("rm asked.txt"),
    // no rule at all is there for this one
    bash("cat /etc/machine-id"),
  ]);
  const asked = new Set<string>();
  for (const _ of (await namesAskedWith()).keys()) {
    const ask = await world.nextAsk(conversation.sessionID);
    asked.add(ask.permission);
    await world.reply(ask, "once");
  }
  expect([...asked].sort()).toEqual(await namesAskedWith());
  await saying;
});

it("a run that its user let go unconfined is labelled, was asked for, and says nothing of the next one", async () => {
  const conversation = await world.conversation();
  const saying = conversation.say("go", [bash("cat /etc/machine-id", { unconfined: true }), bash("echo held")]);
  const ask = await world.nextAsk(conversation.sessionID);
  expect(ask).toMatchObject({ patterns: ["unconfined: cat /etc/machine-id"], always: [] });
  await world.reply(ask, "once");
  const said = await saying;
  expect(said.answers[0]).toContain("this run was unconfined");
  expect(levelOf(said)).toEqual(["off", expect.stringMatching(/landlock|mount/)]);
});

it("what is lower than before is said again, as a warning: here because the user turned it off", async () => {
  const [key = ""] = await readdir(join(world.stateDir, "anchors"));
  const file = join(world.stateDir, "anchors", key, "anchor.json");
  await writeFile(file, JSON.stringify({ ...JSON.parse(await readFile(file, "utf8")), enforcement: "off" }));
  await world.restart();
  const conversation = await world.conversation();
  const said = await conversation.say("go", [bash("echo free")]);
  expect(levelOf(said)).toEqual(["off"]);
  expect(said.told[0]).toMatch(
    /enforcement off: nothing holds commands .*lower than before, which was (landlock|mount)/,
  );
  await vi.waitFor(() => expect(toasts().at(-1)).toMatchObject({ variant: "warning" }), 30_000);
});
