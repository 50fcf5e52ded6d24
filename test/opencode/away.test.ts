// OpenCode is killed in the middle of a command. The command goes on; the session's next bash result tells of it, once.
import { existsSync, writeFileSync } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { inFlightDirectory } from "../../plugin/laptop/in-flight.js";
import { descendants } from "../ssh/fixtures/processes.js";
import { type MessagePart, startWorld, type World } from "./fixtures/world.js";

// the machine may be busy with other tests
vi.setConfig({ testTimeout: 240_000 });

let world: World;

beforeAll(async () => {
  world = await startWorld();
}, 180_000);
afterAll(() => world?.stop(), 60_000);

const bash = (command: string) => [{ calls: [{ name: "bash", arguments: { command } }] }];
const LINES = Array.from({ length: 3000 }, (_, index) => `${index + 1}\n`).join("");

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 50));
}

/** Starts a command that waits for its sign, and kills OpenCode while it waits. */
async function crashDuring(name: string): Promise<{ sessionID: string; command: string; go(): void; runs: string }> {
  const [go, done, runs] = ["go", "done", "runs"].map((each) => join(world.work, `${each}-${name}`)) as [
    string,
    string,
    string,
  ];
  const command = `echo x >> ${runs}; seq 1 2000; while [ ! -e ${go} ]; do sleep 0.05; done; seq 2001 3000; touch ${done}; exit 3`;
  const { sessionID, say } = await world.conversation();
  // its answer never comes
  say("go", bash(command)).catch(() => undefined);
  await world.events.waitFor((event) => {
    const part = event.properties.part as (MessagePart & { sessionID: string }) | undefined;
    return part?.sessionID === sessionID && String(part.state?.metadata?.output ?? "").endsWith("\n2000\n");
  });
  const started = descendants(world.opencode.pid).map(({ pid }) => pid);
  await world.restart();
  for (const pid of started) expect(existsSync(`/proc/${pid}`)).toBe(false);
  return {
    sessionID,
    command,
    runs,
    go: () => {
      writeFileSync(go, "");
    },
  };
}

const noteIn = (text: string | undefined) => /While OpenCode was away: .*/.exec(text ?? "")?.[0];

describe("a command that OpenCode was killed under", () => {
  it("is told of once in the session's next bash result, with its exit and all of its output", async () => {
    const { sessionID, command, go, runs } = await crashDuring("ended");
    go();
    await until(() => existsSync(join(world.work, "done-ended")));
    // another session, perhaps of another window, hears nothing of it
    const other = await (await world.conversation()).say("go", bash("echo other"));
    expect(other.answers).toEqual(["other\n"]);

    const conversation = world.goOn(sessionID);
    const said = await conversation.say("go on", bash("echo next"));
    const [answer = ""] = said.answers;
    expect(answer.startsWith("next\n")).toBe(true);
    const note = noteIn(answer);
    expect(note).toContain(command.slice(0, 60));
    const [, commandID, path = ""] =
      /\((cmd_\w+)\) finished with exit 3, output at (\S+) \(for Read/.exec(note ?? "") ?? [];
    expect(commandID).toBeDefined();
    const saved = join(world.stateDir, "output", path.split("/").at(-1) ?? "");
    expect(await readFile(saved, "utf8")).toBe(LINES);
    const read = await conversation.say("read", [
      { calls: [{ name: "read", arguments: { filePath: path, offset: 2999, limit: 2 } }] },
      ...bash("echo again"),
    ]);
    expect(read.answers[0]).toContain("3000");
    expect(read.answers[1]).toBe("again\n");
    expect(await readFile(runs, "utf8")).toBe("x\n");
  });

  it("is told of as running while it runs, and again when it has ended", async () => {
    const { sessionID, go } = await crashDuring("running");
    const conversation = world.goOn(sessionID);
    const first = await conversation.say("go on", [...bash("echo one"), ...bash("echo two")]);
    expect(noteIn(first.answers[0])).toMatch(/still runs on alpha; 8893 bytes of output so far/);
    expect(first.answers[1]).toBe("two\n");
    go();
    await until(() => existsSync(join(world.work, "done-running")));
    let note: string | undefined;
    while (note === undefined) {
      const said = await conversation.say("and now", bash("sleep 0.2; echo three"));
      note = /Meanwhile: .*/.exec(said.answers[0] ?? "")?.[0];
    }
    expect(note).toMatch(/finished with exit 3, output at /);
    expect((await conversation.say("and then", bash("echo four"))).answers).toEqual(["four\n"]);
  });

  it("leaves nothing in the journal, which nobody else can read", async () => {
    const directory = inFlightDirectory(world.stateDir);
    expect((await stat(directory)).mode & 0o777).toBe(0o700);
    expect(await readdir(directory)).toEqual([]);
  });
});
