// What lies outside the approved directory is asked for, by OpenCode's own prompt, and the stub is the only memory.
import { mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { startWorld, type World } from "./fixtures/world.js";

// the machine may be busy with other tests
vi.setConfig({ testTimeout: 120_000 });

let world: World;
let outside: string;
const made: string[] = [];

async function elsewhere(prefix: string): Promise<string> {
  const directory = await realpath(await mkdtemp(join(tmpdir(), prefix)));
  made.push(directory);
  await writeFile(join(directory, "private.txt"), "PRIVATE CONTENT\n");
  return directory;
}

beforeAll(async () => {
  world = await startWorld({
    config: {
      permission: {
        bash: { "*": "allow", "touch *": "ask", "rm *": "deny" },
        external_directory: { "*": "ask", "/tmp/ocr-allowed-*": "allow", "/tmp/ocr-denied-*": "deny" },
      },
    },
  });
}, 180_000);
beforeEach(async () => {
  outside = await elsewhere("ocr-outside-");
});
afterAll(async () => {
  await world?.stop();
  for (const directory of made) await rm(directory, { recursive: true, force: true });
}, 60_000);

/** What the stub wrote down about questions on a directory. */
async function decisions(directory: string): Promise<unknown[]> {
  const lines = await world.audit();
  return lines
    .filter((line) => line.event === "reply" && String(line.path).startsWith(directory))
    .map((line) => line.decision);
}

const read = (path: string) => ({ calls: [{ name: "read", arguments: { filePath: path } }] });

describe("a path outside the approved directory", () => {
  it("is read once after `once`, and asked for again the next time", async () => {
    const conversation = await world.conversation();
    const file = join(outside, "private.txt");
    const saying = conversation.say("go", [read(file), read(file)]);
    const first = await world.nextAsk(conversation.sessionID);
    expect(first).toMatchObject({
      permission: "external_directory",
      patterns: [`${outside}/*`],
      always: [],
      metadata: { filepath: file, access: "read", host: "alpha" },
    });
    await world.reply(first, "once");
    await world.reply(await world.nextAsk(conversation.sessionID), "once");
    const said = await saying;
    expect(said.answers).toEqual([
      expect.stringContaining("PRIVATE CONTENT"),
      expect.stringContaining("PRIVATE CONTENT"),
    ]);
    expect(await decisions(outside)).toEqual(["once", "once"]);
  });

  it("is not asked for again after `always`, though OpenCode was told to remember nothing; for writing it still is", async () => {
    const conversation = await world.conversation();
    const file = join(outside, "private.txt");
    const saying = conversation.say("go", [
      read(file),
      read(file),
      { calls: [{ name: "edit", arguments: { filePath: file, oldString: "PRIVATE", newString: "PUBLIC" } }] },
    ]);
    const first = await world.nextAsk(conversation.sessionID);
    await world.reply(first, "always");
    const second = await world.nextAsk(conversation.sessionID);
    expect(second.metadata).toMatchObject({ access: "write", filepath: file });
    await world.reply(second, "reject", "leave it as it is");
    const said = await saying;
    expect(said.tools.slice(0, 2).map((tool) => tool.state?.status)).toEqual(["completed", "completed"]);
    expect(said.tools[2]?.state?.error).toContain("leave it as it is");
    const other = await world.conversation();
    expect((await other.say("go", [read(file)])).answers[0]).toContain("PRIVATE CONTENT");
  });

  it("stays closed after `reject`, and the turn ends as with the built-in tools", async () => {
    const conversation = await world.conversation();
    const saying = conversation.say("go", [read(join(outside, "private.txt")), { text: "never said" }]);
    await world.reply(await world.nextAsk(conversation.sessionID), "reject");
    const said = await saying;
    expect(said.tools[0]?.state?.error).toContain("rejected permission");
    expect(said.requests).toHaveLength(1);
    expect(JSON.stringify(said.tools)).not.toContain("PRIVATE CONTENT");
    expect(await decisions(outside)).toEqual(["reject"]);
  });

  it("is asked for as a command's directory, and the command starts only after the answer", async () => {
    const conversation = await world.conversation();
    const command = { name: "bash", arguments: { command: "pwd; ls", workdir: outside } };
    const saying = conversation.say("go", [{ calls: [command] }]);
    const ask = await world.nextAsk(conversation.sessionID);
    expect(ask.patterns).toEqual([`${outside}/*`]);
    const started = async () =>
      (await world.audit()).filter((line) => line.event === "command" && line.sessionID === conversation.sessionID);
    expect((await started()).filter((line) => line.decision === "approved")).toEqual([]);
    await world.reply(ask, "once");
    expect((await saying).answers[0]).toBe(`${outside}\nprivate.txt\n`);
    expect((await started()).length).toBeGreaterThan(0);
  });

  it("is one prompt for all that a command names, and the command runs after the answer with all of it", async () => {
    const other = await elsewhere("ocr-outside-");
    const conversation = await world.conversation();
    const command = `cat ${outside}/private.txt ${other}/private.txt`;
    const call = { calls: [{ name: "bash", arguments: { command } }] };
    const saying = conversation.say("go", [call, call]);
    const first = await world.nextAsk(conversation.sessionID);
    expect(first).toMatchObject({
      permission: "external_directory",
      patterns: [`${outside}/*`, `${other}/*`],
      always: [],
      metadata: { paths: [{ path: `${outside}/private.txt` }, { path: `${other}/private.txt` }] },
    });
    await world.reply(first, "once");
    await world.reply(await world.nextAsk(conversation.sessionID), "reject", "once was enough");
    const said = await saying;
    expect(said.answers[0]).toMatch(/^PRIVATE CONTENT\nPRIVATE CONTENT\n/);
    expect(said.tools[1]?.state?.error).toContain("once was enough");
  });

  it("is reached by a command that runs unconfined, which is asked for each time and shown whole", async () => {
    const conversation = await world.conversation();
    const command = `cat ${outside}/private.txt`;
    const call = { calls: [{ name: "bash", arguments: { command, unconfined: true } }] };
    const saying = conversation.say("go", [call, call]);
    const first = await world.nextAsk(conversation.sessionID);
    const prompt = { permission: "external_directory", patterns: [`unconfined: ${command}`], always: [] };
    expect(first).toMatchObject(prompt);
    // Whatever the answer is called, it is good for this one run.
    await world.reply(first, "always");
    const second = await world.nextAsk(conversation.sessionID);
    expect(second).toMatchObject(prompt);
    await world.reply(second, "reject", "not again");
    const said = await saying;
    expect(said.answers[0]).toMatch(/^PRIVATE CONTENT\n/);
    expect(said.tools[1]?.state?.error).toContain("not again");
    const lines = (await world.audit()).filter((line) => line.command === command && line.event === "command");
    expect(lines).toMatchObject([{ decision: "unconfined" }]);
  });

  it("is allowed or refused by the user's own rules without a prompt, and the audit log says so", async () => {
    const allowed = await elsewhere("ocr-allowed-");
    const denied = await elsewhere("ocr-denied-");
    const conversation = await world.conversation();
    const said = await conversation.say("go", [read(join(allowed, "private.txt")), read(join(denied, "private.txt"))]);
    expect(said.answers[0]).toContain("PRIVATE CONTENT");
    expect(said.tools[1]?.state?.error).toContain("rule which prevents you");
    expect(await decisions(allowed)).toEqual(["once"]);
    expect(await decisions(denied)).toEqual(["reject"]);
  });
});

describe("OpenCode's own permissions", () => {
  it("ask for a command by its pattern, and `always` is OpenCode's to remember", async () => {
    const conversation = await world.conversation();
    const touch = (name: string) => ({ calls: [{ name: "bash", arguments: { command: `cd . && touch ${name}` } }] });
    const saying = conversation.say("go", [touch("a"), touch("b")]);
    const ask = await world.nextAsk(conversation.sessionID);
    expect(ask).toMatchObject({ permission: "bash", patterns: ["touch a"], always: ["touch *"] });
    await world.reply(ask, "always");
    const said = await saying;
    expect(said.tools.map((tool) => tool.state?.status)).toEqual(["completed", "completed"]);
  });

  it("see a denied command also inside a substitution, and nothing of the line runs", async () => {
    const conversation = await world.conversation();
    const command = "echo $(rm -rf nothing)";
    const said = await conversation.say("go", [{ calls: [{ name: "bash", arguments: { command } }] }]);
    expect(said.tools[0]?.state?.error).toContain("rule which prevents you");
    expect((await world.audit()).filter((line) => line.command === command)).toEqual([]);
  });
});
