// What the model is shown: the host and its directory, the host's instructions, and nothing of the laptop: no path, no token.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { systemText } from "./fixtures/model-server.js";
import { startWorld, type World } from "./fixtures/world.js";

// the machine may be busy with other tests
vi.setConfig({ testTimeout: 120_000 });

let world: World;

beforeAll(async () => {
  world = await startWorld();
  await writeFile(join(world.work, "AGENTS.md"), "Answer in HOST-STYLE.\n");
  await writeFile(join(world.opencode.home, ".config", "opencode", "AGENTS.md"), "Answer in USER-STYLE.\n");
}, 180_000);
afterAll(() => world?.stop(), 60_000);

describe("the model", () => {
  it("is told the host, its directory and its instructions, and the user's own, without a path of the laptop", async () => {
    const conversation = await world.conversation();
    const said = await conversation.say("go", [{ calls: [{ name: "bash", arguments: { command: "pwd" } }] }]);
    const system = systemText(said.requests[0]);
    expect(system).toContain(`Working directory: ${world.work}\n`);
    expect(system).toContain("Host: alpha (");
    expect(system).toContain(
      `Instructions from: ${world.work}/AGENTS.md (a file of the project on alpha)\nAnswer in HOST-STYLE.`,
    );
    expect(system).toContain("Answer in USER-STYLE.");
    const shown = JSON.stringify(said.requests);
    expect(shown).not.toContain(world.anchor);
    expect(shown).not.toContain(world.opencode.home);
  });

  it("never sees the host's token, the approver's key or secret, whatever was asked and answered", async () => {
    const conversation = await world.conversation();
    await conversation.say("go", [
      { calls: [{ name: "bash", arguments: { command: "env; set" } }] },
      {
        calls: [
          { name: "glob", arguments: { pattern: "**/*" } },
          { name: "grep", arguments: { pattern: "." } },
        ],
      },
    ]);
    const token = (await readFile(join(world.host.home, ".opencode-remote-ssh", "run", "stub.token"), "utf8")).trim();
    const key = await readFile(join(world.stateDir, "approver.key"), "utf8");
    expect(token).toMatch(/^[0-9a-f]{64}$/);
    const shown = JSON.stringify(world.model.requests);
    expect(shown).toContain("HOME=");
    expect(shown).not.toContain(token);
    for (const line of key.split("\n").filter((text) => text.length > 20)) expect(shown).not.toContain(line);
    expect(shown).not.toMatch(/x-approver/i);
  });

  it("is given the host's file where the user's prompt names one of the anchor", async () => {
    await writeFile(join(world.work, "notes.txt"), "HOST NOTES\n");
    await writeFile(join(world.anchor, "notes.txt"), "LAPTOP PLACEHOLDER\n");
    const { id } = await world.opencode.request<{ id: string }>("POST", "/session", {}, { directory: world.anchor });
    const url = pathToFileURL(join(world.anchor, "notes.txt")).href;
    const parts = [
      { type: "text", text: "see @notes.txt" },
      { type: "file", mime: "text/plain", url, filename: "notes.txt" },
    ];
    await world.opencode.request("POST", `/session/${id}/message`, { parts }, { directory: world.anchor, once: true });
    const shown = JSON.stringify(world.model.requests);
    expect(shown).toContain("HOST NOTES");
    expect(shown).not.toContain("LAPTOP PLACEHOLDER");
    expect(shown).not.toContain(world.anchor);
  });
});
