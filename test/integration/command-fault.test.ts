// Two hundred commands whose stub is killed with SIGKILL, at another point of their life each time: nothing lost, nothing doubled. Rows 34 and 37.
import { appendFile, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { CommandRequest } from "../../protocol/command.js";
import { parseRun } from "../../stub/commands/files.js";
import { collect, commandApp, commandRequest, send } from "../fixtures/command-app.js";
import { stubProcess } from "../fixtures/command-process.js";
import { cCompiler } from "../fixtures/helper-binary.js";

const compiler = await cCompiler();
const KILLS = 40;
/** Commands that a stub starts before it is killed. */
const PER_STUB = 5;
const LINES = 30;
/** Milliseconds from the first request to the kill, at most: before the login environment is known, until after the end. */
const LIFE_MS = 60;

describe.skipIf(compiler === undefined)("a stub that is killed again and again (needs a C compiler)", () => {
  it("leaves every command whole: each ran once, every byte is in its log, and it has one end", async () => {
    const folder = await mkdtemp(join(tmpdir(), "ocrs-fault-"));
    const counter = join(folder, "counter");
    const all: Planned[] = [];
    for (let round = 0; round < KILLS; round++) {
      const stub = await stubProcess({ folder, bundled: true });
      // what a client does whose stub was killed: the same request again, at the next one
      await Promise.all(all.slice(-PER_STUB).map((command) => command.check(stub)));
      const batch = Array.from({ length: PER_STUB }, (_, i) => new Planned(round * PER_STUB + i, counter));
      all.push(...batch);
      const answers = batch.map((command) => command.start(stub));
      await sleep((round * 7) % LIFE_MS);
      await stub.kill();
      await Promise.all(answers);
    }
    await using last = await commandApp({ folder });
    for (const command of all) await command.check(last);
    const ran = (await readFile(counter, "utf8")).trim().split("\n").map(Number);
    expect(ran.sort((a, b) => a - b)).toEqual(all.map((_, number) => number));
    const directory = join(folder, "commands");
    const records = (await readdir(directory)).filter((name) => name.endsWith(".run"));
    expect(records.length).toBe(all.length);
    for (const name of records) {
      const text = await readFile(join(directory, name), "utf8");
      expect(text.endsWith("\n")).toBe(true); // nothing torn
      expect(parseRun(text).end).toMatchObject({ survivors: [] });
    }
    await rm(folder, { recursive: true, maxRetries: 5 });
  }, 300_000);

  it("reads a record whose last line is torn as one that has no end yet, and what is no record as an error of its own", async () => {
    await using app = await commandApp();
    const request = commandRequest("echo x");
    await collect(await send(app, "POST", "/command?follow=1", request));
    const path = join(app.folder, "commands", `${request.commandID}.run`);
    await appendFile(path, '{"status":0,"fl');
    await using next = await commandApp({ folder: app.folder });
    const replay = await collect(await send(next, "GET", `/command/${request.commandID}/output?follow=1`));
    expect([replay.stdout.toString(), replay.end?.state]).toEqual(["x\n", "exited"]);
  });
});

/** A command whose every byte is known. */
class Planned {
  readonly number: number;
  readonly #request: CommandRequest;

  constructor(number: number, counter: string) {
    this.number = number;
    const loop = `while [ $i -lt ${LINES} ]; do echo "${number} $i"; echo "e$i" >&2; i=$((i+1)); [ $((i % 10)) = 0 ] && sleep 0.01; done`;
    this.#request = commandRequest(`echo ${number} >> ${counter}; i=0; ${loop}; exit ${number % 256}`);
  }

  /** The stub may be killed at any moment: then there is no answer, or half of one. */
  async start(stub: { socket: string }): Promise<void> {
    await send(stub, "POST", "/command?follow=1", this.#request).then(
      (response) => collect(response).catch(() => undefined),
      () => undefined,
    );
  }

  async check(stub: { socket: string }): Promise<void> {
    const ran = await collect(await send(stub, "POST", "/command?follow=1", this.#request));
    const lines = (text: (line: number) => string) => Array.from({ length: LINES }, (_, n) => text(n)).join("");
    expect(ran.end).toMatchObject({ state: "exited", exit: this.number % 256 });
    expect(ran.stdout.toString()).toBe(lines((n) => `${this.number} ${n}\n`));
    expect(ran.stderr.toString()).toBe(lines((n) => `e${n}\n`));
  }
}
