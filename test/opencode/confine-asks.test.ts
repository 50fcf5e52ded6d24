// A running command of the model wants what was not approved: the kernel stops it, OpenCode asks with the real path, and the
// command goes on or fails. The path is never in the command's text, so that nothing could ask before it ran.
import { execFile } from "node:child_process";
import { mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { type Conversation, startWorld, type World } from "./fixtures/world.js";

// the machine may be busy with other tests
vi.setConfig({ testTimeout: 120_000 });

const CLI = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));

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
        bash: "allow",
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

/** A command that opens `path` without naming it; one stream, so that its lines keep their order. */
function cat(path: string, more = ""): { calls: { name: string; arguments: { command: string } }[] } {
  const hidden = Buffer.from(path).toString("base64");
  const command = `exec 2>&1; echo before; cat "$(echo ${hidden} | base64 -d)"; echo "after $?"${more}`;
  return { calls: [{ name: "bash", arguments: { command } }] };
}

async function decisions(directory: string): Promise<unknown[]> {
  const lines = await world.audit();
  return lines
    .filter((line) => line.event === "reply" && String(line.path).startsWith(directory))
    .map((line) => line.decision);
}

/** What the stub says of the levels of this machine. */
async function level(conversation: Conversation): Promise<unknown> {
  const { tools } = await conversation.say("go", [{ calls: [{ name: "bash", arguments: { command: "true" } }] }]);
  return tools[0]?.state?.metadata?.enforcement;
}

describe("a blocked open of a running command", () => {
  it("is asked for with the real path, goes on after `once`, and is asked for again the next time", async () => {
    const conversation = await world.conversation();
    expect(await level(conversation)).toMatch(/landlock|mount/);
    await symlink(join(outside, "private.txt"), join(world.work, "link"));
    const saying = conversation.say("go", [cat("link"), cat("link")]);
    const first = await world.nextAsk(conversation.sessionID);
    expect(first).toMatchObject({
      permission: "external_directory",
      patterns: [`${outside}/*`],
      always: [],
      metadata: {
        filepath: join(outside, "private.txt"),
        access: "read",
        host: "alpha",
        reason: expect.stringContaining("cat"),
      },
    });
    await world.reply(first, "once");
    await world.reply(await world.nextAsk(conversation.sessionID), "once");
    const said = await saying;
    for (const answer of said.answers) expect(answer).toContain("before\nPRIVATE CONTENT\nafter 0\n");
    expect(await decisions(outside)).toEqual(["once", "once"]);
  });

  it("is not asked for again after `always`, until that is revoked on the command line", async () => {
    const conversation = await world.conversation();
    const file = join(outside, "private.txt");
    const saying = conversation.say("go", [cat(file), cat(file)]);
    await world.reply(await world.nextAsk(conversation.sessionID), "always");
    for (const answer of (await saying).answers) expect(answer).toContain("PRIVATE CONTENT\nafter 0");
    const approvals = JSON.parse(await cli("approvals", "alpha", "--json")) as { id: string; path: string }[];
    const { id } = approvals.find(({ path }) => path === outside) ?? { id: "none" };
    expect(await cli("approvals", "alpha", "--revoke", id)).toContain(outside);
    const again = conversation.say("go", [cat(file)]);
    await world.reply(await world.nextAsk(conversation.sessionID), "reject");
    expect((await again).answers[0]).toContain("Permission denied\nafter 1");
  });

  it("fails with EACCES in its output after `reject`, and the command goes on with what else it does", async () => {
    const conversation = await world.conversation();
    const saying = conversation.say("go", [cat(join(outside, "private.txt"), "; echo mine > mine.txt; cat mine.txt")]);
    await world.reply(await world.nextAsk(conversation.sessionID), "reject");
    const { answers, tools } = await saying;
    expect(answers[0]).toContain("Permission denied\nafter 1\nmine\n");
    expect(JSON.stringify(tools)).not.toContain("PRIVATE CONTENT");
    expect(tools[0]?.state?.status).toBe("completed");
    expect(await decisions(outside)).toEqual(["reject"]);
  });

  it("is allowed or refused by the user's own rules without a prompt", async () => {
    const allowed = await elsewhere("ocr-allowed-");
    const denied = await elsewhere("ocr-denied-");
    const conversation = await world.conversation();
    const { answers } = await conversation.say("go", [
      cat(join(allowed, "private.txt")),
      cat(join(denied, "private.txt")),
    ]);
    expect(answers[0]).toContain("PRIVATE CONTENT\nafter 0");
    expect(answers[1]).toContain("Permission denied\nafter 1");
    expect(await decisions(allowed)).toEqual(["once"]);
    expect(await decisions(denied)).toEqual(["reject"]);
  });

  it("can still be answered after the stub was killed while the prompt was open", async () => {
    const conversation = await world.conversation();
    const saying = conversation.say("go", [cat(join(outside, "private.txt"))]);
    const ask = await world.nextAsk(conversation.sessionID);
    const pid = await world.stubPid();
    process.kill(pid, "SIGKILL");
    await vi.waitFor(async () => expect(await world.stubPid()).not.toBe(pid), { timeout: 60_000, interval: 100 });
    await world.reply(ask, "once");
    expect((await saying).answers[0]).toContain("before\nPRIVATE CONTENT\nafter 0");
  });

  it("is given up with the session's abort, and nothing of it is left on the host", async () => {
    const conversation = await world.conversation();
    const { sessionID } = conversation;
    const saying = conversation.say("go", [cat(join(outside, "private.txt"))]);
    await world.nextAsk(sessionID);
    await world.opencode.request("POST", `/session/${sessionID}/abort`, {}, { directory: world.anchor });
    const { tools } = await saying;
    expect(JSON.stringify(tools)).not.toContain("PRIVATE CONTENT");
    const ended = async () =>
      (await world.audit()).find((line) => line.event === "exit" && line.sessionID === sessionID);
    await vi.waitFor(async () => expect(await ended()).toMatchObject({ state: "killed" }), {
      timeout: 60_000,
      interval: 100,
    });
    await vi.waitFor(async () => expect(await decisions(outside)).not.toContain("once"));
  });
});

describe("what a command was refused and could not be given while it ran", () => {
  /** Makes a directory without naming it where the text is looked at. */
  function make(path: string): ReturnType<typeof cat> {
    const hidden = Buffer.from(path).toString("base64");
    const command = `mkdir "$(echo ${hidden} | base64 -d)" && echo made`;
    return { calls: [{ name: "bash", arguments: { command } }] };
  }

  it("is asked for when it has failed, and the same command works when the model runs it again", async () => {
    const conversation = await world.conversation();
    const path = join(outside, "new");
    const saying = conversation.say("go", [make(path), make(path)]);
    const ask = await world.nextAsk(conversation.sessionID);
    expect(ask).toMatchObject({
      permission: "external_directory",
      patterns: [`${outside}/*`],
      metadata: { filepath: outside, access: "write", host: "alpha", reason: expect.stringContaining("run again") },
    });
    await world.reply(ask, "once");
    const [failed, again] = (await saying).answers;
    expect(failed).toContain(`refused: mkdir ${path} (not approved)`);
    expect(failed).toContain("run the same command again");
    expect(again).toBe("made\n");
    expect(await decisions(outside)).toEqual(["once"]);
  });

  it("is not asked for again in a session that rejected it, however often the model tries; in another it is", async () => {
    const conversation = await world.conversation();
    const path = join(outside, "new");
    const saying = conversation.say("go", [make(path), make(path), make(join(outside, "other"))]);
    await world.reply(await world.nextAsk(conversation.sessionID), "reject", "use the project");
    const { answers, tools } = await saying;
    expect(answers).toHaveLength(3);
    for (const answer of answers) expect(answer).toMatch(/the user rejected it: .*use the project/);
    expect(tools.map((tool) => tool.state?.status)).toEqual(["completed", "completed", "completed"]);
    expect(await decisions(outside)).toEqual(["reject"]);

    const other = await world.conversation();
    const there = other.say("go", [make(path)]);
    await world.reply(await world.nextAsk(other.sessionID), "reject");
    await there;
    expect(await decisions(outside)).toEqual(["reject", "reject"]);
  });
});

describe("a path in the text of a command", () => {
  it("is asked for before it runs, and what was rejected runs nothing", async () => {
    const conversation = await world.conversation();
    const file = join(outside, "private.txt");
    const command = `echo ran; cat ${file}`;
    const saying = conversation.say("go", [{ calls: [{ name: "bash", arguments: { command } }] }]);
    const ask = await world.nextAsk(conversation.sessionID);
    expect(ask.metadata).toMatchObject({ filepath: file, access: "read" });
    const started = async () =>
      (await world.audit()).filter((line) => line.event === "command" && line.command === command);
    expect(await started()).toEqual([]);
    await world.reply(ask, "reject");
    await saying;
    expect(await started()).toEqual([]);
  });
});

async function cli(...words: string[]): Promise<string> {
  const home = world.opencode.home;
  const env = {
    PATH: process.env.PATH,
    HOME: home,
    XDG_CONFIG_HOME: join(home, ".config"),
    XDG_STATE_HOME: join(home, ".local", "state"),
  };
  const { stdout } = await promisify(execFile)(process.execPath, [CLI, ...words], { env });
  return stdout;
}
