import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { newID } from "../../protocol/ids.js";
import { type InFlightCommand, InFlightJournal } from "./in-flight.js";
import { processStart } from "./process-start.js";

let base: string;
let directory: string;
let journal: InFlightJournal;
beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), "ocr-journal-"));
  directory = join(base, "in-flight");
  journal = new InFlightJournal(directory);
});
afterEach(() => rm(base, { recursive: true, force: true }));

const what = () => ({ commandID: newID("cmd"), sessionID: newID("ses"), host: "h", title: "make" });

/** As a process that was killed left it. */
async function leftBy(owner: Partial<InFlightCommand["owner"]>, over: Partial<InFlightCommand> = {}) {
  const mine = { machine: hostname(), pid: process.pid, start: (await processStart(process.pid)) ?? "" };
  const entry = { ...what(), started: Date.now(), left: false, told: false, ...over, owner: { ...mine, ...owner } };
  await journal.begin(what()).end();
  await writeFile(join(directory, `${entry.commandID}.json`), JSON.stringify(entry));
  return entry;
}

describe("the journal of commands in flight", () => {
  it("holds a command until its end was received, for the user alone", async () => {
    const { commandID, ...rest } = what();
    const flight = journal.begin({ commandID, ...rest });
    await expect.poll(() => readdir(directory).catch(() => [])).toEqual([`${commandID}.json`]);
    expect((await stat(join(directory, `${commandID}.json`))).mode & 0o777).toBe(0o600);
    await flight.end();
    expect(await readdir(directory)).toEqual([]);
  });

  it("calls nothing an orphan that a living process waits for, this one or another window's", async () => {
    const child = spawn("sleep", ["60"]);
    await once(child, "spawn");
    const pid = child.pid as number;
    const entry = await leftBy({ pid, start: (await processStart(pid)) ?? "" });
    await leftBy({});
    expect(await journal.orphans()).toEqual([]);
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(await journal.orphans()).toEqual([entry]);
  });

  it("is not misled by a pid that another process has now", async () => {
    const entry = await leftBy({ start: "1" });
    expect(await journal.orphans(entry.sessionID)).toEqual([entry]);
    expect(await journal.orphans(newID("ses"))).toEqual([]);
  });

  it("does not judge processes of another machine that shares the home", async () => {
    await leftBy({ machine: "another", pid: 1, start: "1" });
    expect(await journal.orphans()).toEqual([]);
    const old = await leftBy({ machine: "another", pid: 1, start: "1" }, { started: 1 });
    expect(await journal.orphans()).toEqual([old]);
  });

  it("gives what was left to one of many who claim it", async () => {
    const command = what();
    await journal.begin(command).leave();
    const many = Array.from({ length: 8 }, () => new InFlightJournal(directory));
    const claims = await Promise.all(
      many.map(async (each) => {
        const [entry] = await each.orphans(command.sessionID);
        return entry !== undefined && (await each.claim(entry));
      }),
    );
    expect(claims.filter(Boolean)).toHaveLength(1);
  });

  it("costs nothing but the note where it cannot be written, and drops what does not parse", async () => {
    await leftBy({});
    await writeFile(join(directory, "cmd_00000000.json"), "{");
    expect(await journal.orphans()).toEqual([]);
    expect(await readdir(directory)).toHaveLength(1);
    const blocked = new InFlightJournal(join(base, "file", "in-flight"));
    await writeFile(join(base, "file"), "");
    await blocked.begin(what()).end();
  });
});
