// Ordinary work at every level that works on this machine: over sixty commands of an ordinary user in an approved directory. Nothing
// of it may be refused or asked about.
import { afterAll, expect, it } from "vitest";
import type { CommandRecord } from "../../protocol/command.js";
import type { Enforcement } from "../../protocol/health.js";
import { newID } from "../../protocol/ids.js";
import type { Ask } from "../../protocol/permission.js";
import {
  DEVELOPER_COMMANDS,
  type DeveloperCommand,
  layOutProject,
  PROGRAMS_NEEDED,
} from "../fixtures/developer-commands.js";
import { onPath } from "../fixtures/helper-binary.js";
import { describe } from "../fixtures/with-compiler.js";
import { type Workbench, workbench } from "../fixtures/workbench.js";
import { addUser, isRoot, type TestUser } from "../ssh/fixtures/users.js";

const LEVELS = ["mount+landlock", "landlock", "mount", "guard", "static", "off"] as const;
const PATH = "/usr/local/bin:/usr/bin:/bin";

const missing: string[] = [];
for (const name of PROGRAMS_NEEDED) if (!(await onPath(name))) missing.push(name);
const why = isRoot ? missing.join(", ") : "root, to be an ordinary user";

const table = new Map<string, string[]>();

interface Row {
  problem: string | undefined;
  ms: number;
}

async function runAll(bench: Workbench, directory: string): Promise<Row[]> {
  const { id } = await bench.workspace({ directory });
  const sessionID = newID("ses");
  const found: Row[] = [];
  for (const { command, prints } of DEVELOPER_COMMANDS) {
    const commandID = newID("cmd");
    const asked: string[] = [];
    const refuse = async () => {
      const { body } = await bench.send<Ask[]>("/permission", { approver: bench.approver });
      for (const ask of body) {
        asked.push(`${ask.access} ${ask.path}`);
        await bench.reply(ask.id, "reject");
      }
    };
    const looking = setInterval(() => void refuse().catch(() => undefined), 300); // it ends with the stub at the latest
    const started = performance.now();
    const body = { commandID, sessionID, workspaceID: id, command, timeoutMs: 120_000, onAsk: "fail" };
    const answer = await bench.stub.fetch("/command?follow=1", { body });
    const text = await answer.text();
    clearInterval(looking);
    const ms = performance.now() - started;
    if (answer.status !== 200) {
      found.push({ problem: text.slice(0, 300), ms });
      continue;
    }
    const record = (await bench.send<CommandRecord>(`/command/${commandID}`)).body;
    const read = async (stream: string) =>
      (await bench.stub.fetch(`/command/${commandID}/output?stream=${stream}&offset=0`)).text();
    const stdout = await read("stdout");
    const isGood = record.exit === 0 && (prints === undefined || prints.test(stdout)) && asked.length === 0;
    const said = `exit ${record.exit} ${asked.map((each) => `asked ${each}`).join(" ")} ${(await read("stderr")).slice(-300)} ${stdout.slice(-200)}`;
    found.push({ problem: isGood ? undefined : said, ms });
  }
  return found;
}

/** A gap that is none fails, too. */
function isLost(at: number, { gaps }: Enforcement): boolean {
  const { lost } = DEVELOPER_COMMANDS[at] as DeveloperCommand;
  return lost !== undefined && gaps.includes(lost);
}

describe.skipIf(why !== "")(`what developers do all day${why === "" ? "" : ` (needs ${why})`}`, () => {
  it("is at least sixty commands of at least fifteen tools", () => {
    expect(DEVELOPER_COMMANDS.length).toBeGreaterThanOrEqual(60);
    expect(new Set(DEVELOPER_COMMANDS.map(({ tool }) => tool)).size).toBeGreaterThanOrEqual(15);
  });

  for (const level of LEVELS) {
    it(`works at level ${level}, and asks for nothing`, async () => {
      const user: TestUser = await addUser();
      try {
        const directory = await layOutProject(user);
        await using bench = await workbench({ user, args: ["--level", level], env: { PATH } });
        const { enforcement } = (await bench.send<{ enforcement: Enforcement }>("/global/health")).body;
        expect(enforcement.level).toBe(level);
        const found = await runAll(bench, directory);
        table.set(
          level,
          found.map(({ problem, ms }) => (problem === undefined ? `${Math.round(ms)}` : "FAILED")),
        );
        const problems = found.flatMap(({ problem }, at) =>
          (problem !== undefined) === isLost(at, enforcement) ? [] : [`${DEVELOPER_COMMANDS[at]?.command}: ${problem}`],
        );
        expect(problems).toEqual([]);
      } finally {
        await user.remove();
      }
    }, 300_000);
  }

  afterAll(() => {
    const levels = [...table.keys()];
    const lines = DEVELOPER_COMMANDS.map(({ tool, command }, at) => {
      const cells = levels.map((level) => (table.get(level)?.[at] ?? "").padStart(Math.max(level.length, 6)));
      return `${tool.padEnd(10)} ${command.replaceAll("\n", " ").slice(0, 60).padEnd(60)} ${cells.join(" ")}`;
    });
    const head = `${"tool".padEnd(10)} ${"command (milliseconds)".padEnd(60)} ${levels.map((level) => level.padStart(6)).join(" ")}`;
    process.stdout.write(`\n${head}\n${lines.join("\n")}\n`);
  });
});
