// When the host cannot be used: every tool says so, and nothing is done on the laptop instead.
import { existsSync } from "node:fs";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { anchorPaths } from "../../plugin/opencode-v1/anchor-path.js";
import { systemText, type ToolCall } from "./fixtures/model-server.js";
import { HOST, type Said, startWorld, type World, type WorldOptions } from "./fixtures/world.js";

// the machine may be busy with other tests
vi.setConfig({ testTimeout: 120_000 });

let world: World;

/** Every tool, with paths that would work on the laptop if it acted there. */
function everyTool(laptop: string): ToolCall[] {
  const file = join(laptop, "laptop.txt");
  return [
    { name: "bash", arguments: { command: `touch ${join(laptop, "canary")}` } },
    { name: "read", arguments: { filePath: file } },
    { name: "glob", arguments: { pattern: "*", path: laptop } },
    { name: "grep", arguments: { pattern: "LAPTOP", path: laptop } },
    { name: "write", arguments: { filePath: join(laptop, "canary"), content: "x" } },
    { name: "edit", arguments: { filePath: file, oldString: "LAPTOP", newString: "CHANGED" } },
    { name: "write", arguments: { filePath: "canary.txt", content: "x" } },
  ];
}

/** All tools are called; each must fail with `code`, and the laptop must be as before. */
async function expectNothingDone(code: string): Promise<Said> {
  const laptop = world.opencode.home;
  await writeFile(join(laptop, "laptop.txt"), "LAPTOP\n");
  const before = await readdir(world.anchor);
  const conversation = await world.conversation();
  const calls = everyTool(laptop);
  const said = await conversation.say("go", [{ calls }]);
  expect(said.tools.map((tool) => tool.state?.status)).toEqual(calls.map(() => "error"));
  for (const { state } of said.tools) {
    expect(state?.error).toContain(`(${code})`);
    expect(state?.error).toContain("hint: ");
    expect(state?.error).toContain("Nothing was run or changed on this machine");
  }
  expect(existsSync(join(laptop, "canary"))).toBe(false);
  expect(await readFile(join(laptop, "laptop.txt"), "utf8")).toBe("LAPTOP\n");
  expect(await readdir(world.anchor)).toEqual(before);
  expect(systemText(said.requests[0])).not.toContain(world.anchor);
  expect(systemText(said.requests[0])).toContain("The host cannot be used at the moment");
  return said;
}

async function start(options?: WorldOptions): Promise<void> {
  world = await startWorld(options);
}

describe("a host that does not answer", () => {
  beforeAll(() => start({ plugin: unreachable() }), 180_000);
  afterAll(() => world?.stop(), 60_000);

  it("fails every tool with the host, the reason and what to do, and nothing runs locally", async () => {
    const said = await expectNothingDone("host_unreachable");
    expect(said.tools[0]?.state?.error).toContain("The host alpha cannot be used");
  });

  it("still has the overrides when the anchor's record is damaged", async () => {
    const paths = anchorPaths(world.stateDir, HOST, world.work);
    const record = await readFile(paths.record, "utf8");
    await writeFile(paths.record, "{");
    await world.opencode.request("POST", "/instance/dispose", {}, { directory: world.anchor });
    await expectNothingDone("config_invalid");
    await writeFile(paths.record, record);
  });
});

describe("a wrong configuration", () => {
  beforeAll(() => start({ plugin: { tunel: {} } }), 180_000);
  afterAll(() => world?.stop(), 60_000);

  it("fails every tool with the name of what is wrong, and nothing runs locally", async () => {
    const said = await expectNothingDone("config_invalid");
    expect(said.tools[0]?.state?.error).toContain("tunel");
  });
});

/** Port 1 on loopback: refused at once. */
function unreachable(): Record<string, unknown> {
  const ssh = { host: "127.0.0.1", port: 1, user: "nobody" };
  return { providers: { default: { hosts: [{ name: HOST, directory: "/srv/app", ssh }] } } };
}
