// Programs that PATH finds in the home: one ask for all of them, one approval, and then they run.
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { newID } from "../../protocol/ids.js";
import type { Ask } from "../../protocol/permission.js";
import { fileFolder } from "../fixtures/file-folder.js";
import { describe } from "../fixtures/with-compiler.js";
import { type Workbench, workbench } from "../fixtures/workbench.js";

let bench: Workbench;
let home: string;

beforeAll(async () => {
  const folder = await fileFolder("ocrs-toolchain-");
  home = join(folder, "home");
  await program(".vm/v20/bin/vmnode", '#!/bin/sh\n. "$(dirname "$0")/../lib/part"\n');
  await program(".vm/v20/lib/part", "echo from the toolchain\n");
  await program(".other/bin/other", "#!/bin/sh\necho other\n");
  // the login shell's PATH, as an rc file would have it
  await writeFile(join(home, ".profile"), `PATH=${home}/.vm/v20/bin:${home}/.other/bin:/usr/bin:/bin\n`);
  bench = await workbench({ installRoot: join(folder, "root") });
});
afterAll(() => bench?.[Symbol.asyncDispose]());

async function program(name: string, text: string): Promise<void> {
  const path = join(home, name);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
  await chmod(path, 0o755);
}

describe("a toolchain in the home", () => {
  it("is asked about once, as one, when a command starts a program of it; always runs it from then on", async () => {
    const { level } = (await bench.send<{ enforcement: { level: string } }>("/global/health")).body.enforcement;
    const workspace = await bench.workspace();
    const sessionID = newID("ses");
    const run = async (command: string, more: object = {}) =>
      bench.send<{ code?: string; details?: { permissionID: string }; commandID: string }>("/command", {
        body: { commandID: newID("cmd"), sessionID, workspaceID: workspace.id, command, onAsk: "fail", ...more },
      });
    expect((await run("echo vmnode")).status).toBe(200);
    const first = await run("cd . && vmnode");
    if (level === "static" || level === "off") return void expect(first.status).toBe(200);
    expect(first.body).toMatchObject({ code: "permission_required" });
    const [ask] = (await bench.send<Ask[]>("/permission", { approver: bench.approver })).body;
    expect(ask?.patterns).toEqual([`${home}/.vm/v20/*`, `${home}/.other/*`]);
    expect((await bench.reply(ask?.id ?? "", "always")).status).toBe(200);
    for (const [command, printed] of [
      ["vmnode", "from the toolchain\n"],
      ["other", "other\n"],
    ] as const) {
      const { status, body } = await run(command);
      expect(status).toBe(200);
      await (await bench.stub.fetch(`/command/${body.commandID}/output?follow=1`)).arrayBuffer();
      const output = await bench.stub.fetch(`/command/${body.commandID}/output?stream=stdout&offset=0`);
      expect(await output.text()).toBe(printed);
    }
  });
});
