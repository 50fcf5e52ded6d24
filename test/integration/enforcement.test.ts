// What a workspace wants of the kernel, and what it gets: said in health, in its context and in every record, and never more than is there.
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { CommandRecord } from "../../protocol/command.js";
import { type Enforcement, isKernelLevel } from "../../protocol/health.js";
import { newID } from "../../protocol/ids.js";
import { eventually } from "../fixtures/processes.js";
import { startStub } from "../fixtures/stub.js";
import { describe } from "../fixtures/with-compiler.js";
import { type Workbench, workbench } from "../fixtures/workbench.js";

async function make(bench: Workbench, wish: object): Promise<string> {
  const directory = await bench.outside("project");
  const body = { id: newID("wrk"), type: "t", directory, ...wish };
  const answer = await bench.send("/experimental/workspace", { body, approver: bench.approver });
  expect(answer.status).toBe(200);
  return body.id;
}

async function run(bench: Workbench, workspaceID: string, command: string) {
  const body = { commandID: newID("cmd"), sessionID: newID("ses"), workspaceID, command, onAsk: "fail" };
  const answer = await bench.send<{ code?: string; hint?: string }>("/command", { body });
  if (answer.status !== 200) return { answer, output: "", record: undefined };
  await (await bench.stub.fetch(`/command/${body.commandID}/output?follow=1`)).arrayBuffer();
  const output = await (await bench.stub.fetch(`/command/${body.commandID}/output?stream=stdout&offset=0`)).text();
  return { answer, output, record: (await bench.send<CommandRecord>(`/command/${body.commandID}`)).body };
}

describe("enforcement", () => {
  it("required runs nothing where only text is checked, and says what can be done; best runs and names the level", async () => {
    await using bench = await workbench({ args: ["--level", "static"] });
    const { answer } = await run(bench, await make(bench, { enforcement: "required" }), "true");
    expect(answer).toMatchObject({ status: 403, body: { code: "enforcement_unavailable" } });
    expect(answer.body.hint).toMatch(/unconfined/);
    const { record } = await run(bench, await make(bench, {}), "true");
    expect(record?.enforcement).toMatchObject({
      level: "static",
      ask: false,
      gaps: expect.arrayContaining(["command-text"]),
    });
  });

  it("is the same in health, context and record; off is off, and said so, and needs its approver", async () => {
    await using bench = await workbench();
    const usual = (await bench.send<{ enforcement: Enforcement }>("/global/health")).body.enforcement;
    const best = await make(bench, { enforcement: "best" });
    expect((await run(bench, best, "true")).record?.enforcement).toEqual(usual);
    const context = await bench.send<{ enforcement: Enforcement }>(`/experimental/workspace/${best}/context`);
    expect(context.body.enforcement).toEqual(usual);
    const { record, output } = await run(
      bench,
      await make(bench, { enforcement: "off" }),
      "grep NoNewPrivs /proc/self/status",
    );
    expect(record?.enforcement).toMatchObject({ level: "off", gaps: expect.arrayContaining(["unconfined"]) });
    expect(output).toMatch(/NoNewPrivs:\s+0/);
    const refused = await bench.send("/experimental/workspace", { body: { type: "t", enforcement: "off" } });
    expect(refused).toMatchObject({ status: 403, body: { code: "approver_required" } });
  });

  it("a denied network is one that commands do not reach, or a gap", async () => {
    await using bench = await workbench();
    const { port } = bench.stub.json;
    const command = `curl -s -o out http://127.0.0.1:${port}/ && echo reached || echo refused`;
    const open = await run(bench, await make(bench, {}), command);
    expect(open.output).toBe("reached\n");
    expect(open.record?.enforcement.gaps).toContain("network");
    const denied = await run(bench, await make(bench, { network: false }), command);
    const { level = "off", gaps = [] }: Partial<Enforcement> = denied.record?.enforcement ?? {};
    expect(gaps).not.toContain("network");
    if (isKernelLevel(level)) expect(denied.output).toBe("refused\n");
    else expect(gaps).toContain("network-denial");
  });

  it("a forced level that does not exist or does not work ends the start with a code", async () => {
    await expect(startStub({ args: ["--level", "nonsense"] })).rejects.toThrow("error usage");
  });

  it("a private directory is TMPDIR, kept between commands of its workspace, and gone with it", async () => {
    await using bench = await workbench();
    const id = await make(bench, {});
    const { record, output } = await run(bench, id, "echo kept > $TMPDIR/x; echo $TMPDIR $XDG_CACHE_HOME");
    if (!isKernelLevel(record?.enforcement.level ?? "off")) return;
    const own = join(bench.stub.installRoot, "tmp", id);
    expect(output).toBe(`${own} ${own}/.cache\n`);
    expect((await run(bench, id, "cat $TMPDIR/x")).output).toBe("kept\n");
    expect((await run(bench, await make(bench, {}), `cat ${own}/x`)).output).toBe("");
    const path = `/experimental/workspace/${id}`;
    expect((await bench.send(path, { method: "DELETE", approver: bench.approver })).status).toBe(200);
    await eventually("gone", async () => !(await readdir(join(bench.stub.installRoot, "tmp"))).includes(id));
  });
});
