// GET /global/event of the real OpenCode and of the stub, side by side: the same story gives frames of the same shape.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { EventSource, type SseEvent } from "../fixtures/event-source.js";
import { describe } from "../fixtures/with-compiler.js";
import { type Workbench, workbench } from "../fixtures/workbench.js";
import { type Opencode, startOpencode } from "./fixtures/opencode.js";

// the machine may be busy with other tests
vi.setConfig({ testTimeout: 120_000 });

const COMMAND = {
  agent: "build",
  model: { providerID: "fake", modelID: "fake" },
  command: "echo one; sleep 1; echo two",
};

let opencode: Opencode;
let bench: Workbench;
let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "ocr-frames-"));
  [opencode, bench] = await Promise.all([startOpencode({ modelURL: "http://127.0.0.1:9/v1" }), workbench()]);
}, 120_000);
afterAll(async () => {
  await opencode?.stop();
  await bench?.stub.stop();
  await rm(directory, { recursive: true, force: true });
}, 60_000);

type Send = <T = unknown>(method: string, path: string, body?: unknown) => Promise<T>;

/** A session's life: made, renamed, a shell command in it, deleted. */
async function story(events: EventSource, send: Send, creation: object): Promise<SseEvent[]> {
  await events.until(() => true);
  const { id } = await send<{ id: string }>("POST", "/session", creation);
  await send("PATCH", `/session/${id}`, { title: "renamed" });
  await send("POST", `/session/${id}/shell`, COMMAND);
  await send("DELETE", `/session/${id}`);
  await events.until(({ payload }) => payload.type === "session.deleted");
  return events.seen;
}

/** Which frame of the story: `message.part.updated tool running`. */
function kindOf({ payload }: SseEvent): string {
  const { info, part, status } = (payload.properties ?? {}) as Record<string, { [key: string]: unknown } | undefined>;
  const state = part?.state as { status?: string } | undefined;
  const details = [info?.role, part?.type, state?.status, status?.type];
  return [payload.type, ...details.filter((detail) => detail !== undefined)].join(" ");
}

/** `path: type` of every value in it. */
function shapeOf(value: unknown, path = ""): string[] {
  if (typeof value !== "object" || value === null) return [`${path}: ${value === null ? "null" : typeof value}`];
  if (Array.isArray(value)) return [`${path}: array`];
  return Object.entries(value).flatMap(([key, inner]) => shapeOf(inner, path === "" ? key : `${path}.${key}`));
}

/** What all frames of a kind have, by kind. */
function shapes(frames: SseEvent[]): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const { id: _, ...frame } of frames) {
    const kind = kindOf(frame as SseEvent);
    const shape = shapeOf(frame);
    found.set(kind, found.get(kind)?.filter((entry) => shape.includes(entry)) ?? shape);
  }
  return found;
}

describe("the stub's events", () => {
  it("have all that OpenCode's own frames of the same session have, and come in the same order", async () => {
    const { authorization, url } = opencode;
    const fetchThere = (path: string, init?: RequestInit) => fetch(url + path, { ...init, headers: { authorization } });
    await using theirs = await EventSource.open({ fetch: fetchThere as never });
    const expected = await story(
      theirs,
      (method, path, body) => opencode.request(method, path, body, { directory }),
      {},
    );
    const workspace = await bench.workspace();
    await using ours = await EventSource.open(bench.stub, `?workspace=${workspace.id}`);
    const send: Send = async <T>(method: string, path: string, body?: unknown) =>
      (await bench.send<T>(path, { method, body })).body;
    const seen = await story(ours, send, { workspaceID: workspace.id });

    const mine = shapes(seen);
    expect([...mine.keys()]).toEqual(
      expect.arrayContaining(["session.updated", "message.updated user", "message.part.updated tool completed"]),
    );
    for (const [kind, shape] of shapes(expected)) {
      // Durable copies of the frames before them, and what is of OpenCode's own server.
      if (kind === "sync" || /^(project|server|file|lsp|plugin|catalog|integration)[.]/.test(kind)) continue;
      expect([
        kind,
        mine
          .get(kind)
          ?.filter((entry) => shape.includes(entry))
          .sort(),
      ]).toEqual([kind, shape.sort()]);
    }
    expect(mine.get("server.connected")).toEqual(shapes(expected).get("server.connected"));
    const order = (frames: SseEvent[]) =>
      frames
        .map(kindOf)
        .filter((kind, index, all) => mine.has(kind) && !/^(server|command)/.test(kind) && all[index - 1] !== kind);
    const withoutCopies = expected.filter(({ payload }) => payload.type !== "sync");
    const withoutCommands = seen.filter(({ payload }) => !payload.type.startsWith("command."));
    expect([...new Set(order(withoutCommands))]).toEqual([...new Set(order(withoutCopies))]);
  });
});
