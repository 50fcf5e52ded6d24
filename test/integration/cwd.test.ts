// Where commands may stand: the real path decides, whatever was written.
import { access, mkdir, readdir, realpath, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { CommandRecord } from "../../protocol/command.js";
import { newID } from "../../protocol/ids.js";
import { describe } from "../fixtures/with-compiler.js";
import { eventually, type Workbench, workbench } from "../fixtures/workbench.js";

let bench: Workbench;
beforeAll(async () => {
  bench = await workbench();
});
afterAll(() => bench.stub.stop());

interface Shelled {
  parts: [{ state: { output: string; metadata: { exit: number | null; signal: string | null; commandID: string } } }];
}

async function shell(workspaceID: string, body: object) {
  const id = newID("ses");
  await bench.send("/session", { body: { id, workspaceID } });
  return bench.send<Shelled & { code: string; details: { path: string } }>(`/session/${id}/shell`, {
    body: { onAsk: "fail", ...body },
  });
}

const outputOf = (answer: { body: Shelled }) => answer.body.parts[0].state.output.trim();

describe("a command's directory", () => {
  it("is the workspace's, a relative one inside it, or ~/ somewhere approved", async () => {
    const workspace = await bench.workspace();
    await mkdir(join(workspace.directory, "sub"));
    expect(outputOf(await shell(workspace.id, { command: "pwd" }))).toBe(workspace.directory);
    expect(outputOf(await shell(workspace.id, { command: "pwd", cwd: "sub" }))).toBe(join(workspace.directory, "sub"));
    const below = workspace.directory.slice(bench.stub.home.length + 1);
    expect(outputOf(await shell(workspace.id, { command: "pwd", cwd: `~/${below}/sub/..` }))).toBe(workspace.directory);
  });

  it("that climbs out by .. asks with its real path, and nothing runs there (row 19)", async () => {
    const workspace = await bench.workspace();
    await mkdir(join(workspace.directory, "proj"));
    for (const cwd of ["proj/../../../../../../../../etc", `${workspace.directory}/../../../../../etc`, "/etc"]) {
      const answer = await shell(workspace.id, { command: "touch ran-here; pwd", cwd });
      expect(answer).toMatchObject({
        status: 403,
        body: { code: "permission_required", details: { path: await realpath("/etc") } },
      });
    }
    await expect(access("/etc/ran-here")).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("that is a link to elsewhere asks with the real path of elsewhere (row 19)", async () => {
    const workspace = await bench.workspace();
    const outside = await bench.outside("target");
    await symlink(outside, join(workspace.directory, "link"));
    const answer = await shell(workspace.id, { command: "touch ran-here", cwd: "link" });
    expect(answer).toMatchObject({ status: 403, body: { code: "permission_required", details: { path: outside } } });
    expect(await readdir(outside)).toEqual([]);
  });

  it("is judged as the kernel reads it: link/.. is the parent of what the link leads to", async () => {
    const workspace = await bench.workspace();
    const outside = await bench.outside("parent");
    await mkdir(join(outside, "child"));
    await symlink(join(outside, "child"), join(workspace.directory, "link"));
    const answer = await shell(workspace.id, { command: "pwd", cwd: "link/.." });
    expect(answer).toMatchObject({ status: 403, body: { details: { path: outside } } });
  });

  it("that is missing is a coded error with a hint, not an exit status (row 32)", async () => {
    const workspace = await bench.workspace();
    const answer = await shell(workspace.id, { command: "true", cwd: "missing" });
    expect(answer).toMatchObject({ status: 400, body: { code: "cwd_missing", hint: expect.any(String) } });
    await writeFile(join(workspace.directory, "file"), "");
    expect(await shell(workspace.id, { command: "true", cwd: "file" })).toMatchObject({
      status: 400,
      body: { code: "cwd_missing" },
    });
    const elsewhere = await shell(workspace.id, { command: "true", cwd: `${await bench.outside("else")}/missing` });
    expect(elsewhere.body.code).toBe("permission_required");
  });

  it("is never the process file system or the stub's own files", async () => {
    const workspace = await bench.workspace();
    for (const cwd of ["/proc", "/proc/self", bench.stub.installRoot, join(bench.stub.installRoot, "state")]) {
      expect(await shell(workspace.id, { command: "true", cwd })).toMatchObject({
        status: 403,
        body: { code: "EACCES" },
      });
    }
  });

  it("is a private temporary one where the workspace has none, gone when the command has ended", async () => {
    const { body } = await bench.send<{ id: string }>("/experimental/workspace", { body: { type: "test" } });
    const answer = await shell(body.id, { command: "pwd; touch mine; ls; stat -c %a ." });
    const [cwd = "", ...rest] = outputOf(answer).split("\n");
    expect(cwd).toBe(join(bench.stub.installRoot, "tmp", answer.body.parts[0].state.metadata.commandID));
    expect(rest).toEqual(["mine", "700"]);
    const left = async () =>
      (await readdir(join(bench.stub.installRoot, "tmp"))).filter((name) => name.startsWith("cmd_"));
    await eventually(async () => ((await left()).length === 0 ? true : undefined));
    expect((await shell(body.id, { command: "true", cwd: bench.stub.home })).body.code).toBe("permission_required");
  });
});

describe("what comes with a command", () => {
  it("all of its variables arrive, and none of ours (row 31)", async () => {
    const workspace = await bench.workspace();
    const env = { ONE: "1", TWO: "zwei\n2", THREE: "drei = 3" };
    const answer = await shell(workspace.id, { command: 'printf "%s|" "$ONE" "$TWO" "$THREE"; env', env });
    const output = outputOf(answer);
    expect(output.startsWith("1|zwei\n2|drei = 3|")).toBe(true);
    expect(output).not.toContain("OPENCODE_REMOTE_SSH");
    expect(output).not.toContain(bench.stub.token);
  });

  it("an exit status is itself, and death by a signal has its name (row 32)", async () => {
    const workspace = await bench.workspace();
    expect((await shell(workspace.id, { command: "exit 7" })).body.parts[0].state.metadata).toMatchObject({
      exit: 7,
      signal: null,
    });
    expect((await shell(workspace.id, { command: "kill -9 $$" })).body.parts[0].state.metadata).toMatchObject({
      exit: null,
      signal: "SIGKILL",
    });
  });

  it("/command is an API: nothing answers 200 for what is no command (row 31)", async () => {
    const workspace = await bench.workspace();
    expect(await bench.send(`/command?workspace=${workspace.id}`)).toMatchObject({ status: 200, body: [] });
    expect((await bench.send("/command", { method: "PUT", body: {} })).status).toBe(404);
    expect((await bench.send("/command", { body: {} })).status).toBe(400);
    const base = { commandID: newID("cmd"), sessionID: newID("ses"), workspaceID: workspace.id };
    expect(await bench.send("/command", { body: base })).toMatchObject({
      status: 400,
      body: { code: "invalid_request" },
    });
    const both = { ...base, command: "true", argv: ["true"] };
    expect(await bench.send("/command", { body: both })).toMatchObject({
      status: 400,
      body: { code: "invalid_request" },
    });
    expect((await bench.send(`/command/${base.commandID}`)).body).toMatchObject({ code: "command_unknown" });
    const real = await bench.send<CommandRecord>("/command", { body: { ...base, argv: ["sh", "-c", "exit 4"] } });
    expect(real.status).toBe(200);
    const ended = await eventually(async () => {
      const { body } = await bench.send<CommandRecord>(`/command/${base.commandID}`);
      return body.state === "exited" ? body : undefined;
    });
    expect(ended.exit).toBe(4);
  });

  it("a command line is in the audit log with its decision before it runs, and its end after it", async () => {
    const workspace = await bench.workspace();
    const answer = await shell(workspace.id, { command: "exit 5" });
    const { commandID } = answer.body.parts[0].state.metadata;
    const lines = (await bench.send<string>("/audit?limit=1000")).body
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines.filter((line) => line.commandID === commandID)).toEqual([
      expect.objectContaining({ event: "command", command: "exit 5", cwd: workspace.directory, decision: "approved" }),
      expect.objectContaining({ event: "exit", exit: 5, signal: null, state: "exited" }),
    ]);
  });
});
