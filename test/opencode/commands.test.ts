// Commands while they run: output as it comes, an abort that ends them on the host, `!cmd` there, and no terminal here.
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { Mark } from "../fixtures/marked-processes.js";
import { Witness } from "../fixtures/witness.js";
import { type MessagePart, startWorld, type World } from "./fixtures/world.js";

// the machine may be busy with other tests
vi.setConfig({ testTimeout: 120_000 });

let world: World;

beforeAll(async () => {
  world = await startWorld();
}, 180_000);
afterAll(() => world?.stop(), 60_000);

/** The tool part of an event, if it is one of this session. */
function toolPart(
  event: { type: string; properties: Record<string, unknown> },
  sessionID: string,
): MessagePart | undefined {
  if (event.type !== "message.part.updated") return undefined;
  const part = event.properties.part as MessagePart & { sessionID: string };
  return part.type === "tool" && part.sessionID === sessionID ? part : undefined;
}

describe("a command of the model", () => {
  it("shows its output while it runs, and the finished part stays finished", async () => {
    const conversation = await world.conversation();
    const go = join(world.work, "go");
    const command = `echo early; while [ ! -e ${go} ]; do sleep 0.05; done; echo late`;
    const saying = conversation.say("go", [{ calls: [{ name: "bash", arguments: { command } }] }]);
    const live = await world.events.waitFor((event) => {
      const state = toolPart(event, conversation.sessionID)?.state;
      return state?.status === "running" && String(state.metadata?.output).includes("early");
    });
    expect(JSON.stringify(live)).not.toContain("late\\n");
    writeFileSync(go, "");
    const said = await saying;
    expect(said.answers[0]).toBe("early\nlate\n");
    expect(said.tools[0]?.state).toMatchObject({ status: "completed", metadata: { output: "early\nlate\n", exit: 0 } });
  });

  it("answers `sleep 6 & echo` at once, and says that a process of it still runs (row 33)", async () => {
    const conversation = await world.conversation();
    const mark = new Mark();
    const command = `TEST_MARK=${mark.env.TEST_MARK} sleep 6 & echo started`;
    const said = await conversation.say("go", [{ calls: [{ name: "bash", arguments: { command } }] }]);
    expect(await mark.pids()).toHaveLength(1); // nobody waited for it
    expect(said.answers[0]).toContain("1 of its processes still run on");
    expect(said.tools[0]?.state).toMatchObject({ status: "completed", metadata: { exit: 0 } });
  });

  it("is ended on the host with all its children when the session is aborted", async () => {
    const conversation = await world.conversation();
    const mark = new Mark();
    const command = `export TEST_MARK=${mark.env.TEST_MARK}; setsid sleep 300 & sleep 301 & echo started; wait`;
    const saying = conversation.say("go", [{ calls: [{ name: "bash", arguments: { command } }] }]);
    await world.events.waitFor((event) => {
      const state = toolPart(event, conversation.sessionID)?.state;
      return String(state?.metadata?.output).includes("started");
    });
    expect(await mark.pids()).toHaveLength(2);
    await world.opencode.request("POST", `/session/${conversation.sessionID}/abort`, {}, { directory: world.anchor });
    const said = await saying;
    expect(said.tools[0]?.state?.status).not.toBe("running");
    await mark.gone();
    const exits = (await world.audit()).filter(
      (line) => line.event === "exit" && line.sessionID === conversation.sessionID,
    );
    expect(exits).toMatchObject([{ state: "killed" }]);
  });
});

describe("the user's `!cmd`", () => {
  const shell = (sessionID: string, command: string) =>
    world.opencode.request<{ parts: MessagePart[] }>(
      "POST",
      `/session/${sessionID}/shell`,
      { agent: "build", command },
      { directory: world.anchor, once: true },
    );

  it("runs on the host, below its spawner, in its directory", async () => {
    const { sessionID } = await world.conversation();
    const witness = new Witness(world.work);
    const turn = shell(sessionID, `pwd; echo "it's $((6 * 7))"; ${witness.text}`);
    const above = await witness.ancestors();
    const { parts } = await turn;
    const output = parts[0]?.state?.output ?? "";
    expect(output).toContain(`${world.work}\nit's 42\n`);
    expect(above).toContain(await world.stubPid());
    expect(above).not.toContain(world.opencode.pid);
  });

  it("starts no terminal: it is refused with a message", async () => {
    const pty = await world.opencode.request<{ id: string; status?: string }>(
      "POST",
      "/pty",
      {},
      { directory: world.anchor },
    );
    const ended = await world.events.waitFor((event) => event.type === "pty.exited" && event.properties.id === pty.id);
    expect(ended.properties).toMatchObject({ exitCode: 1 });
  });

  it("runs nothing on the laptop when the host is gone", async () => {
    const { sessionID } = await world.conversation();
    const canary = join(world.opencode.home, "canary");
    world.host.pause();
    try {
      const { parts } = await shell(sessionID, `touch ${canary}; echo ran`);
      expect(parts[0]?.state?.output).toMatch(/error [a-z_]+: /);
      expect(parts[0]?.state?.output).not.toMatch(/^ran$/m);
      expect(existsSync(canary)).toBe(false);
    } finally {
      world.host.resume();
    }
  });
});
