// Sessions and their shell: OpenCode's shapes, told while it happens.

import { afterAll, beforeAll, expect, it } from "vitest";
import { newID } from "../../protocol/ids.js";
import { EventSource, type SseEvent } from "../fixtures/event-source.js";
import { describe } from "../fixtures/with-compiler.js";
import { eventually, type Workbench, workbench } from "../fixtures/workbench.js";

let bench: Workbench;
beforeAll(async () => {
  bench = await workbench();
});
afterAll(() => bench.stub.stop());

async function session() {
  const workspace = await bench.workspace();
  const id = newID("ses");
  const answer = await bench.send("/session", { body: { id, workspaceID: workspace.id, title: "a title" } });
  return { id, workspace, answer };
}

const statusOf = async (id: string) =>
  (await bench.send<Record<string, { type: string }>>("/session/status")).body[id]?.type;

describe("a session", () => {
  it("has OpenCode's info, is listed, renamed, and deleted", async () => {
    const { id, workspace, answer } = await session();
    expect(answer).toMatchObject({
      status: 200,
      body: {
        id,
        workspaceID: workspace.id,
        directory: workspace.directory,
        title: "a title",
        path: "",
        cost: 0,
        tokens: { cache: { read: 0 } },
      },
    });
    expect((await bench.send<{ id: string }[]>("/session")).body.some((info) => info.id === id)).toBe(true);
    expect((await bench.send(`/session/${id}`, { method: "PATCH", body: { title: "new" } })).body).toMatchObject({
      title: "new",
    });
    expect((await bench.send(`/session/${id}`)).body).toMatchObject({ title: "new" });
    expect(await bench.send("/session", { body: { id, workspaceID: workspace.id } })).toMatchObject({
      status: 409,
      body: { code: "session_exists" },
    });
    expect((await bench.send(`/session/${id}`, { method: "DELETE" })).status).toBe(200);
    expect(await bench.send(`/session/${id}`)).toMatchObject({ status: 404, body: { code: "session_unknown" } });
    expect(await bench.send(`/session/${id}`, { method: "DELETE" })).toMatchObject({ status: 404 });
  });

  it("is made by its first command where the workspace is named, and stays in that workspace", async () => {
    const [one, two] = [await bench.workspace(), await bench.workspace()];
    const sessionID = newID("ses");
    const command = () => ({ commandID: newID("cmd"), sessionID, command: "true" });
    expect(await bench.send("/command", { body: command() })).toMatchObject({
      status: 404,
      body: { code: "session_unknown" },
    });
    const made = await Promise.all(
      Array.from({ length: 5 }, () => bench.send("/command", { body: { ...command(), workspaceID: one.id } })),
    );
    expect(made.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    expect((await bench.send("/command", { body: command() })).status).toBe(200);
    expect(await bench.send("/command", { body: { ...command(), workspaceID: two.id } })).toMatchObject({
      status: 409,
      body: { code: "session_exists" },
    });
  });
});

describe("the shell of a session", () => {
  it("answers with the message and its part: output, exit, enforcement", async () => {
    const { id, workspace } = await session();
    const { status, body } = await bench.send(`/session/${id}/shell`, {
      body: { command: "echo out; echo err >&2; exit 3", agent: "build", model: { providerID: "p", modelID: "m" } },
    });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      info: {
        role: "assistant",
        sessionID: id,
        agent: "build",
        providerID: "p",
        modelID: "m",
        path: { cwd: workspace.directory },
      },
      parts: [
        {
          type: "tool",
          tool: "bash",
          state: {
            status: "completed",
            input: { command: "echo out; echo err >&2; exit 3" },
            metadata: { exit: 3, signal: null, enforcement: { level: expect.any(String), gaps: expect.any(Array) } },
          },
        },
      ],
    });
    expect(JSON.stringify(body)).toContain("out\\n");
    expect(JSON.stringify(body)).toContain("err\\n");
  });

  it("tells its story while it happens: busy, messages, a growing part, completed, idle (row 33)", async () => {
    const { id, workspace } = await session();
    await using events = await EventSource.open(bench.stub, `?workspace=${workspace.id}`);
    const shell = bench.send(`/session/${id}/shell`, { body: { command: "echo first; sleep 300" } });
    const grown = await events.until(({ payload }) => outputOf(payload)?.includes("first") === true);
    expect(grown.payload.type).toBe("message.part.updated");
    expect(await statusOf(id)).toBe("busy");
    expect((await bench.send(`/session/${id}/abort`, { method: "POST" })).body).toBe(true);
    const answer = await shell;
    expect(answer.body).toMatchObject({ parts: [{ state: { metadata: { aborted: true } } }] });
    await events.until(({ payload }) => payload.type === "session.idle");
    expect(await statusOf(id)).toBe("idle");

    const story = events.seen
      .filter(({ payload }) => /^(session\.(status|idle)|message)/.test(payload.type))
      .map(nameOf);
    expect(story.slice(0, 5)).toEqual([
      "status busy",
      "message user",
      "part text",
      "message assistant",
      "part running",
    ]);
    expect(story.slice(-4)).toEqual(["message assistant", "part completed", "status idle", "session.idle"]);
    expect(new Set(story.slice(5, -4))).toEqual(new Set(["part running"]));
  });

  it("does not wait for children that keep its pipes (row 33)", async () => {
    const { id } = await session();
    const { body } = await bench.send(`/session/${id}/shell`, { body: { command: "sleep 300 & echo done" } });
    expect(body).toMatchObject({ parts: [{ state: { output: "done\n", metadata: { exit: 0, pending: 1 } } }] });
    await bench.send(`/session/${id}/abort`, { method: "POST" });
  });

  it("keeps the two ends of an output that is too long, and says that it did", async () => {
    const { id } = await session();
    const command = "echo begin; head -c 5000000 /dev/zero | tr '\\0' x; echo; echo the-end";
    const { body } = await bench.send<{ parts: [{ state: { output: string; metadata: { truncated: boolean } } }] }>(
      `/session/${id}/shell`,
      { body: { command } },
    );
    const { output, metadata } = body.parts[0].state;
    expect(metadata.truncated).toBe(true);
    expect(output.length).toBeLessThan(1_100_000);
    expect(output.startsWith("begin\n")).toBe(true);
    expect(output.endsWith("the-end\n")).toBe(true);
  });

  it("the same commandID again is the same run; another text under it is a conflict", async () => {
    const { id, workspace } = await session();
    const commandID = newID("cmd");
    const run = (command: string) => bench.send(`/session/${id}/shell`, { body: { command, commandID } });
    expect((await run("echo x >> count")).status).toBe(200);
    expect((await run("echo x >> count")).status).toBe(200);
    expect(await run("echo y >> count")).toMatchObject({ status: 409, body: { code: "command_conflict" } });
    const read = await bench.send<string>("/file/content?path=count", { workspace: workspace.id });
    expect(read.body).toBe("x\n");
  });

  it("goes on when the client has gone, and its end is still told", async () => {
    const { id, workspace } = await session();
    const leaving = new AbortController();
    const shell = bench.send(`/session/${id}/shell`, {
      body: { command: "sleep 0.5; echo x > finished" },
      signal: leaving.signal,
    });
    await eventually(async () => ((await statusOf(id)) === "busy" ? true : undefined));
    leaving.abort();
    await expect(shell).rejects.toThrow();
    await eventually(async () => {
      const { status } = await bench.send("/file/stat?path=finished", { workspace: workspace.id });
      return status === 200 ? true : undefined;
    });
  });
});

function outputOf(payload: SseEvent["payload"]): string | undefined {
  const { part } = payload.properties as { part?: { state?: { metadata?: { output?: string } } } };
  return part?.state?.metadata?.output;
}

function nameOf({ payload }: SseEvent): string {
  const { status, info, part } = payload.properties as {
    status?: { type: string };
    info?: { role: string };
    part?: { type: string; state?: { status: string } };
  };
  if (status) return `status ${status.type}`;
  if (info) return `message ${info.role}`;
  if (part) return `part ${part.state?.status ?? part.type}`;
  return payload.type;
}
