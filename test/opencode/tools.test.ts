// Each tool once, acting on the host: proved by the stub's audit log and by who the command's ancestors are.
import { writeFileSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { Witness } from "../fixtures/witness.js";
import { startWorld, type World } from "./fixtures/world.js";

// the machine may be busy with other tests
vi.setConfig({ testTimeout: 120_000 });

let world: World;

beforeAll(async () => {
  world = await startWorld();
}, 180_000);
afterAll(() => world?.stop(), 60_000);

describe("the model works on the host", () => {
  it("runs a command there: below the host's spawner, not below OpenCode, with an audit line before and after", async () => {
    const conversation = await world.conversation();
    const witness = new Witness(world.work);
    const turn = conversation.say("go", [
      { calls: [{ name: "bash", arguments: { command: `pwd; ${witness.text}` } }] },
    ]);
    const above = await witness.ancestors();
    const said = await turn;
    expect(said.answers[0]).toContain(world.work);
    expect(above).toContain(await world.stubPid());
    expect(above).not.toContain(world.opencode.pid);
    const { commandID } = said.tools[0]?.state?.metadata ?? {};
    const lines = (await world.audit()).filter((line) => line.commandID === commandID);
    expect(lines.map((line) => line.event)).toEqual(["command", "exit"]);
    expect(lines[0]).toMatchObject({ sessionID: conversation.sessionID, cwd: world.work, decision: "approved" });
    expect(lines[1]).toMatchObject({ exit: 0 });
  });

  it("reads, finds, writes and edits files there, and what it wrote is what the next command sees", async () => {
    const conversation = await world.conversation();
    const file = join(world.work, "story.txt");
    const said = await conversation.say("go", [
      { calls: [{ name: "write", arguments: { filePath: file, content: "once\nupon\n" } }] },
      { calls: [{ name: "read", arguments: { filePath: file } }] },
      { calls: [{ name: "edit", arguments: { filePath: file, oldString: "upon", newString: "upon a time" } }] },
      {
        calls: [
          { name: "glob", arguments: { pattern: "story.*" } },
          { name: "grep", arguments: { pattern: "a time" } },
          { name: "bash", arguments: { command: "cat story.txt" } },
        ],
      },
    ]);
    expect(said.tools.map((tool) => tool.state?.status)).toEqual(Array(6).fill("completed"));
    expect(said.answers[1]).toContain("2: upon");
    expect(said.answers[3]).toBe(file);
    expect(said.answers[4]).toContain("Line 2: upon a time");
    expect(said.answers[5]).toBe("once\nupon a time\n");
    expect(await readFile(file, "utf8")).toBe("once\nupon a time\n");
  });

  it("reads a file again that changed since, and edits the new one", async () => {
    const conversation = await world.conversation();
    const file = join(world.work, "shared.txt");
    await writeFile(file, "mine\n");
    const said = await conversation.say("go", [
      { calls: [{ name: "read", arguments: { filePath: file } }] },
      () => {
        // somebody else on the host, between the read and the edit
        writeFileSync(file, "theirs\nmine\n");
        return { calls: [{ name: "edit", arguments: { filePath: file, oldString: "mine", newString: "ours" } }] };
      },
    ]);
    expect(said.answers[1]).toBe("Edit applied successfully.");
    expect(await readFile(file, "utf8")).toBe("theirs\nours\n");
  });

  it("keeps the whole of a long output where read and grep find it", async () => {
    const conversation = await world.conversation();
    const said = await conversation.say("go", [
      { calls: [{ name: "bash", arguments: { command: "seq 1 30000" } }] },
      ({ messages }) => {
        const [path = ""] = /\/\.opencode-remote-ssh\/output\/cmd_\w+\.txt/.exec(JSON.stringify(messages.at(-1))) ?? [];
        return {
          calls: [
            { name: "read", arguments: { filePath: path, offset: 17, limit: 1 } },
            { name: "grep", arguments: { pattern: "^12345$", path } },
          ],
        };
      },
    ]);
    expect(said.answers[0]).toContain("...output truncated...");
    expect(said.answers[0]?.endsWith("\n30000\n")).toBe(true);
    expect(said.tools[0]?.state?.metadata).toMatchObject({ truncated: true, exit: 0 });
    expect(said.answers[1]).toContain("17: 17");
    expect(said.answers[2]).toContain("Line 12345: 12345");
    expect(JSON.stringify(said.requests)).not.toContain(world.stateDir);
  });

  it("sends its subagents to the host too, and never reads the laptop's files for their prompts", async () => {
    const secret = join(world.opencode.home, "laptop-secret.txt");
    await writeFile(secret, "ONLY ON THE LAPTOP");
    const conversation = await world.conversation();
    const prompt = `Look at @${secret} and @~/laptop-secret.txt and run something [subagent]`;
    const witness = new Witness(world.work);
    world.model.play("[subagent]", [
      { calls: [{ name: "bash", arguments: { command: witness.text } }] },
      { text: "seen" },
    ]);
    const turn = conversation.say("go", [
      { calls: [{ name: "task", arguments: { description: "look", prompt, subagent_type: "general" } }] },
    ]);
    expect(await witness.ancestors()).toContain(await world.stubPid());
    const said = await turn;
    expect(said.answers[0]).toContain("seen");
    expect(JSON.stringify(world.model.requests)).not.toContain("ONLY ON THE LAPTOP");
  });
});

describe("the model works on the host with a model that patches", () => {
  let patching: World;
  beforeAll(async () => {
    patching = await startWorld({ model: "gpt-5" });
  }, 180_000);
  afterAll(() => patching?.stop(), 60_000);

  it("adds, changes, moves and deletes files there in one patch", async () => {
    await writeFile(join(patching.work, "old.txt"), "a\nb\nc\n");
    await writeFile(join(patching.work, "gone.txt"), "x\n");
    const patchText = [
      "*** Begin Patch",
      "*** Add File: sub/new.txt",
      "+fresh",
      "*** Update File: old.txt",
      "*** Move to: moved.txt",
      "@@",
      "-b",
      "+B",
      "*** Delete File: gone.txt",
      "*** End Patch",
    ].join("\n");
    const conversation = await patching.conversation();
    const witness = new Witness(patching.work);
    const command = `find . -type f | sort; cat moved.txt sub/new.txt; ${witness.text}`;
    const turn = conversation.say("go", [
      { calls: [{ name: "apply_patch", arguments: { patchText } }] },
      { calls: [{ name: "bash", arguments: { command } }] },
    ]);
    expect(await witness.ancestors()).toContain(await patching.stubPid());
    const said = await turn;
    expect(said.answers[0]).toBe("Success. Updated the following files:\nA sub/new.txt\nM moved.txt\nD gone.txt");
    expect(said.answers[1]).toContain("./moved.txt\n./sub/new.txt\na\nB\nc\nfresh\n");
    expect(said.tools[0]?.state?.metadata).toMatchObject({
      files: [{ type: "add" }, { type: "move" }, { type: "delete" }],
    });
  });

  it("changes nothing where a part of the patch does not fit", async () => {
    await writeFile(join(patching.work, "one.txt"), "1\n");
    const patchText =
      "*** Begin Patch\n*** Update File: one.txt\n@@\n-1\n+2\n*** Update File: moved.txt\n@@\n-not there\n+x\n*** End Patch";
    const conversation = await patching.conversation();
    const said = await conversation.say("go", [{ calls: [{ name: "apply_patch", arguments: { patchText } }] }]);
    expect(said.tools[0]?.state?.error).toContain(
      "apply_patch verification failed: Error: Failed to find expected lines",
    );
    expect(await readFile(join(patching.work, "one.txt"), "utf8")).toBe("1\n");
  });
});
