// A bash call in flight while the connection is cut, and while the stub is killed and comes back: the user is told, and
// the answer is what it would have been. Nothing lost, nothing doubled.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { type Conversation, type MessagePart, startWorld, type World } from "./fixtures/world.js";

// the machine may be busy with other tests
vi.setConfig({ testTimeout: 180_000 });

let world: World;

beforeAll(async () => {
  world = await startWorld();
}, 180_000);
afterAll(() => world?.stop(), 60_000);

let count = 0;

interface Story {
  conversation: Conversation;
  saying: ReturnType<Conversation["say"]>;
  /** Lets the command print its second half and end. */
  go(): void;
  /** Resolves when the part runs and its shown output fits. */
  shows(fits: (output: string) => boolean): Promise<void>;
  expected: string;
  /** How often the command ran. */
  runs(): number;
}

/** Numbered lines, a pause until it may go on, numbered lines, a status that is no other's. */
async function story(): Promise<Story> {
  count += 1;
  const [go, runs] = [join(world.work, `go-${count}`), join(world.work, `runs-${count}`)];
  const command = `echo x >> ${runs}; seq 1 500; while [ ! -e ${go} ]; do sleep 0.05; done; seq 501 1000; exit 7`;
  const conversation = await world.conversation();
  const saying = conversation.say("go", [{ calls: [{ name: "bash", arguments: { command } }] }]);
  return {
    conversation,
    saying,
    go: () => writeFileSync(go, ""),
    shows: async (fits) => {
      const from = world.events.all.length;
      await world.events.waitFor((event) => {
        if (world.events.all.indexOf(event) < from - 50) return false;
        const part = event.properties.part as (MessagePart & { sessionID: string }) | undefined;
        if (event.type !== "message.part.updated" || part?.sessionID !== conversation.sessionID) return false;
        return part.state?.status === "running" && fits(String(part.state.metadata?.output ?? ""));
      });
    },
    expected: Array.from({ length: 1000 }, (_, index) => `${index + 1}\n`).join(""),
    runs: () => readFileSync(runs, "utf8").length / 2,
  };
}

const NOTICE = "reconnecting to alpha…";

async function expectWhole({ saying, expected, runs, conversation }: Story): Promise<void> {
  const said = await saying;
  expect(said.answers).toEqual([expected]);
  expect(said.tools[0]?.state).toMatchObject({ status: "completed", metadata: { exit: 7, output: expected } });
  expect(runs()).toBe(1);
  const lines = (await world.audit()).filter((line) => line.sessionID === conversation.sessionID);
  expect(lines.filter((line) => line.event === "command")).toHaveLength(1);
}

describe("a bash call in flight", () => {
  it("survives a cut connection: the user reads that it reconnects, the answer is complete and exact (row 16)", async () => {
    const told = await story();
    await told.shows((output) => output.endsWith("500\n"));
    world.host.pause();
    await told.shows((output) => output.endsWith(`500\n${NOTICE}`));
    world.host.resume();
    await told.shows((output) => output.endsWith("500\n"));
    told.go();
    await expectWhole(told);
  });

  it("ends while nobody is connected, and its end is fetched", async () => {
    const told = await story();
    await told.shows((output) => output.endsWith("500\n"));
    world.host.pause();
    await told.shows((output) => output.endsWith(NOTICE));
    told.go();
    await new Promise((resolve) => setTimeout(resolve, 1000));
    world.host.resume();
    await expectWhole(told);
  });

  it("survives kill -9 of the stub, which is started again for it", async () => {
    const told = await story();
    await told.shows((output) => output.endsWith("500\n"));
    const pid = await world.stubPid();
    process.kill(pid, "SIGKILL");
    await told.shows((output) => output.endsWith(`500\n${NOTICE}`));
    await told.shows((output) => output.endsWith("500\n"));
    told.go();
    await expectWhole(told);
    expect(await world.stubPid()).not.toBe(pid);
  });

  it("survives a stub that was stopped and replaced by a new one", async () => {
    const told = await story();
    await told.shows((output) => output.endsWith("500\n"));
    await world.stopStub();
    told.go();
    await expectWhole(told);
  });

  it("is aborted at once while the connection is away, with a true statement", async () => {
    const told = await story();
    await told.shows((output) => output.endsWith("500\n"));
    world.host.pause();
    await told.shows((output) => output.endsWith(NOTICE));
    const { sessionID } = told.conversation;
    await world.opencode.request("POST", `/session/${sessionID}/abort`, {}, { directory: world.anchor });
    const said = await told.saying;
    const { state } = said.tools[0] ?? {};
    expect(`${state?.output ?? ""}${state?.error ?? ""}`).toMatch(/may still be running on alpha \(cmd_[A-Za-z0-9]+\)/);
    world.host.resume();
    const ended = async () =>
      (await world.audit()).find((line) => line.sessionID === sessionID && line.event === "exit");
    while ((await ended()) === undefined) await new Promise((resolve) => setTimeout(resolve, 100));
    expect(await ended()).toMatchObject({ state: "killed" });
  });
});

describe("a call while the host is away for long", () => {
  it("fails after its limit with a code, and nothing runs on the laptop", async () => {
    const conversation = await world.conversation();
    await conversation.say("warm", [{ calls: [{ name: "bash", arguments: { command: "true" } }] }]);
    world.host.pause();
    try {
      const canary = join(world.opencode.home, "canary");
      const calls = [
        { name: "bash", arguments: { command: `touch ${canary}` } },
        { name: "write", arguments: { filePath: canary, content: "x" } },
      ];
      const { tools } = await conversation.say("go", [{ calls }]);
      for (const { state } of tools) {
        expect(state).toMatchObject({ status: "error" });
        expect(state?.error).toContain("host_unreachable");
        expect(state?.error).toContain("Nothing was run or changed on this machine");
      }
      expect(existsSync(canary)).toBe(false);
    } finally {
      world.host.resume();
    }
  });
});

describe("the user's `!cmd`", () => {
  it("says in its output that it reconnects, and goes on", async () => {
    const { sessionID } = await world.conversation();
    const go = join(world.work, "go-shell");
    const command = `seq 1 50; while [ ! -e ${go} ]; do sleep 0.05; done; seq 51 100`;
    const body = { agent: "build", command };
    const options = { directory: world.anchor, once: true, timeoutMs: 120_000 };
    const running = world.opencode.request<{ parts: MessagePart[] }>(
      "POST",
      `/session/${sessionID}/shell`,
      body,
      options,
    );
    const shows = (text: string) =>
      world.events.waitFor((event) => {
        const part = event.properties.part as (MessagePart & { sessionID: string }) | undefined;
        return part?.sessionID === sessionID && String(part.state?.metadata?.output ?? "").includes(text);
      });
    await shows("\n50\n");
    world.host.pause();
    await shows(NOTICE);
    world.host.resume();
    await shows("connected to alpha again");
    writeFileSync(go, "");
    const { parts } = await running;
    const lines = (parts[0]?.state?.output ?? "").split("\n").filter((line) => /^\d+$/.test(line));
    expect(lines).toEqual(Array.from({ length: 100 }, (_, index) => `${index + 1}`));
  });
});
