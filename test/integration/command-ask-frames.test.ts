// What a running command asks is told in the streams that follow it, at once, to who comes later too, and that it is over.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FrameType, frameReader } from "../../protocol/frames.js";
import type { Ask } from "../../protocol/permission.js";
import type { AskUser, HeldAsk } from "../../stub/commands/held-asks.js";
import { type CommandApp, commandApp, commandRequest, send } from "../fixtures/command-app.js";
import { guardPolicy, type Home, scratchHome } from "../fixtures/guarded.js";
import { cCompiler } from "../fixtures/helper-binary.js";
import { confined } from "../fixtures/levels.js";

const LEVEL_ASK = 8;
const compiler = await cCompiler();

interface Told {
  type: number;
  json: Record<string, unknown>;
}

/** The frames of one stream as they come. */
async function* frames(app: CommandApp, method: string, path: string, body?: unknown): AsyncGenerator<Told> {
  const found: Told[] = [];
  const read = frameReader(({ type, payload }) => {
    if (type === FrameType.output) return;
    found.push({ type, json: JSON.parse(Buffer.from(payload).toString()) });
  });
  for await (const chunk of await send(app, method, path, body)) {
    read(chunk as Buffer);
    yield* found.splice(0);
  }
}

describe.skipIf(compiler === undefined)("an ask of a running command (needs a C compiler)", () => {
  let place: Home & AsyncDisposable;
  let app: CommandApp;
  let answer: (allow: boolean) => void;
  beforeEach(async () => {
    const answered = new Promise<boolean>((resolve) => {
      answer = resolve;
    });
    const askUser: AskUser = {
      async ask(_command, held, _signal, show) {
        using _ = show(askOf(held));
        return { allow: await answered, scope: "file" };
      },
      ending: new AbortController().signal,
    };
    place = await scratchHome();
    await mkdir(join(place.home, "other"));
    await writeFile(join(place.home, "other/secret"), "secret\n");
    const policy = await guardPolicy([place.project, place.temporary]);
    const admit = async () => {
      const confinement = confined("landlock", policy);
      return { confinement: { ...confinement, level: confinement.level | LEVEL_ASK, askWaitMs: 60_000 } };
    };
    app = await commandApp({ admit, askUser });
  });
  afterEach(async () => {
    await app[Symbol.asyncDispose]();
    await place[Symbol.asyncDispose]();
  });

  it("comes behind the record, while the command stands still, to each that follows it, and its end to all", async () => {
    const request = commandRequest({ command: "cat ../other/secret", cwd: place.project });
    const first = frames(app, "POST", "/command?follow=1", request);
    expect((await first.next()).value).toMatchObject({ type: FrameType.record, json: { state: "running" } });
    const asked = (await first.next()).value as Told;
    expect(asked).toMatchObject({ type: FrameType.ask, json: { path: join(place.home, "other/secret") } });
    const later = frames(app, "GET", `/command/${request.commandID}/output?follow=1`);
    expect((await later.next()).value).toMatchObject({ type: FrameType.record });
    expect((await later.next()).value).toEqual(asked);
    answer(true);
    for (const stream of [first, later]) {
      expect((await stream.next()).value).toEqual({ type: FrameType.askOver, json: { id: asked.json.id } });
      expect((await stream.next()).value).toMatchObject({ type: FrameType.end, json: { exit: 0 } });
    }
  });
});

function askOf({ id, path, access, kind }: HeldAsk): Ask {
  return {
    id,
    sessionID: "ses_00000000",
    permission: "external_directory",
    patterns: [path],
    always: [],
    metadata: { filepath: path, parentDir: path },
    workspaceID: "wrk_00000000",
    approver: "0".repeat(16),
    path,
    access,
    paths: [{ path, access, kind }],
    reason: "cat wants to read it",
    time: { created: 1 },
  };
}
