// Outside an anchor the plugin changes nothing; behind OpenCode's experimental flag it offers its hosts as workspaces.
import { mkdtemp, readFile, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { Witness } from "../fixtures/witness.js";
import { systemText } from "./fixtures/model-server.js";
import { HttpError, startOpencode } from "./fixtures/opencode.js";
import { converse, type MessagePart, startWorld, type World } from "./fixtures/world.js";

// the machine may be busy with other tests
vi.setConfig({ testTimeout: 120_000 });

let world: World;
let project: string;

beforeAll(async () => {
  project = await realpath(await mkdtemp(join(tmpdir(), "ocr-project-")));
  world = await startWorld({ env: { OPENCODE_EXPERIMENTAL_WORKSPACES: "true" } });
}, 180_000);
afterAll(async () => {
  await world?.stop();
  if (project) await rm(project, { recursive: true, force: true });
}, 60_000);

interface WorkspaceAnswer {
  id: string;
  type: string;
  name: string;
  directory: string | null;
}

describe("outside an anchor", () => {
  it("the model is offered exactly what it is offered without the plugin, and its tools act here", async () => {
    const plain = await startOpencode({ modelURL: world.model.url });
    try {
      const without = await (await converse(plain, world.model, project)).say("go", [{ text: "hi" }]);
      const local = await converse(world.opencode, world.model, project);
      const witness = new Witness(project);
      const turn = local.say("go", [{ calls: [{ name: "bash", arguments: { command: witness.text } }] }]);
      expect(await witness.ancestors()).toContain(world.opencode.pid);
      const said = await turn;
      expect(said.requests[0]?.tools).toEqual(without.requests[0]?.tools);
      expect(systemText(said.requests[0])).toBe(systemText(without.requests[0]));
    } finally {
      await plain.stop();
    }
  });
});

describe("workspaces, behind the experimental flag", () => {
  const ask = <T>(method: string, path: string, body?: unknown) =>
    world.opencode.request<T>(method, path, body, { directory: project, once: method !== "GET" });

  it("has one adapter for each host, and one for what `extra` names", async () => {
    const adapters = await ask<{ type: string; name: string }[]>("GET", "/experimental/workspace/adapter");
    expect(adapters.map((adapter) => adapter.type)).toEqual(expect.arrayContaining(["ssh-provider", "ssh:alpha"]));
  });

  it("makes a workspace whose conversations work on the host", async () => {
    const workspace = await ask<WorkspaceAnswer>("POST", "/experimental/workspace", {
      type: "ssh:alpha",
      branch: null,
    });
    expect(workspace).toMatchObject({ type: "ssh:alpha", name: `alpha:${world.work}` });
    const { id } = await ask<{ id: string }>("POST", `/session?workspace=${workspace.id}`, {});
    const witness = new Witness(world.work);
    world.model.play(`[in ${id}]`, [{ calls: [{ name: "bash", arguments: { command: witness.text } }] }]);
    const parts = [{ type: "text", text: `go [in ${id}]` }];
    const turn = ask("POST", `/session/${id}/message?workspace=${workspace.id}`, { parts });
    expect(await witness.ancestors()).toContain(await world.stubPid());
    await turn;
    const messages = await ask<{ parts: MessagePart[] }[]>("GET", `/session/${id}/message?workspace=${workspace.id}`);
    const tool = messages.flatMap((message) => message.parts).find((part) => part.type === "tool");
    expect(tool?.state?.status).toBe("completed");
  });

  it("says what is missing where `extra` names no host that is there", async () => {
    const extra = { host: "nowhere", directory: "/srv" };
    const failed = await ask("POST", "/experimental/workspace", { type: "ssh-provider", branch: null, extra }).catch(
      (error: unknown) => error,
    );
    expect(failed).toBeInstanceOf(HttpError);
    expect(
      await readFile(join(world.opencode.home, ".local", "state", "opencode-remote-ssh", "hosts.json"), "utf8"),
    ).not.toContain("nowhere");
  });
});
