// Commands while they run: output as it comes, an abort that ends them on the host, `!cmd` there, and no terminal here.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { ANCESTRY, ancestors, type MessagePart, startWorld, type World } from "./fixtures/world.js";

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

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch (error) {
    if (error instanceof Error && "code" in error && (error.code === "ESRCH" || error.code === "ENOENT")) return false;
    throw error;
  }
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error("it did not come to be");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
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
    const command = "sleep 6 & echo started $!";
    const said = await conversation.say("go", [{ calls: [{ name: "bash", arguments: { command } }] }]);
    const [, pid] = /^started (\d+)/.exec(said.answers[0] ?? "") ?? [];
    expect(isAlive(Number(pid))).toBe(true); // nobody waited for it
    expect(said.answers[0]).toContain("1 of its processes still run on");
    expect(said.tools[0]?.state).toMatchObject({ status: "completed", metadata: { exit: 0 } });
  });

  it("is ended on the host with all its children when the session is aborted", async () => {
    const conversation = await world.conversation();
    const pids = join(world.work, "pids");
    const command = `setsid sleep 300 & echo $! > ${pids}; echo $$ >> ${pids}; echo started; wait`;
    const saying = conversation.say("go", [{ calls: [{ name: "bash", arguments: { command } }] }]);
    await world.events.waitFor((event) => {
      const state = toolPart(event, conversation.sessionID)?.state;
      return String(state?.metadata?.output).includes("started");
    });
    const running = readFileSync(pids, "utf8").trim().split("\n").map(Number);
    expect(running.map(isAlive)).toEqual([true, true]);
    await world.opencode.request("POST", `/session/${conversation.sessionID}/abort`, {}, { directory: world.anchor });
    const said = await saying;
    expect(said.tools[0]?.state?.status).not.toBe("running");
    await until(() => !running.some(isAlive));
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
    const { parts } = await shell(sessionID, `pwd; echo "it's $((6 * 7))"; ${ANCESTRY}`);
    const output = parts[0]?.state?.output ?? "";
    expect(output).toContain(`${world.work}\nit's 42\n`);
    expect(ancestors(output)).toContain(await world.stubPid());
    expect(ancestors(output)).not.toContain(world.opencode.pid);
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
