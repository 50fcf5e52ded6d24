// Asks outlive the stub: the next one lists them, takes the answer, and nobody is asked twice for one thing.
import { mkdir, mkdtemp, readdir, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { newID } from "../../protocol/ids.js";
import type { PermissionRequired } from "../../protocol/permission.js";
import type { StubFetchOptions } from "../fixtures/stub.js";
import { describe } from "../fixtures/with-compiler.js";
import { eventually, type Workbench, workbench } from "../fixtures/workbench.js";

let folder: string;
let bench: Workbench;
beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "ocrs-asks-")));
  bench = await start();
});
afterEach(async () => {
  await bench.stub.stop("SIGKILL");
  await rm(folder, { recursive: true, force: true });
});

/** The key is another one at each start; a workspace without a directory lets any approver answer. */
const start = () => workbench({ installRoot: join(folder, "root"), version: "0.1.0" });

async function restart(signal: NodeJS.Signals): Promise<void> {
  await bench.stub.stop(signal);
  bench = await start();
}

async function workspace(): Promise<string> {
  const { body } = await bench.send<{ id: string }>("/experimental/workspace", { body: { type: "test" } });
  return body.id;
}

interface Refused {
  code: string;
  details: PermissionRequired;
}

const outside = async (name: string) => {
  const path = join(folder, name);
  await mkdir(path, { recursive: true });
  return path;
};
const stat = (id: string, path: string, more: string, options: StubFetchOptions = {}) =>
  bench.send<Refused>(`/file/stat?path=${encodeURIComponent(path)}&${more}`, { workspace: id, ...options });
const kept = () => readdir(join(folder, "root/state/asks"));

describe.each(["SIGKILL", "SIGTERM"] as const)("after %s of the stub (row 37)", (signal) => {
  it("an ask is listed as it was, takes its answer, and its once is good for one retry", async () => {
    const id = await workspace();
    const path = await outside("a");
    const { permissionID } = (await stat(id, path, "onAsk=fail")).body.details;
    const before = await bench.asks(id);
    await restart(signal);
    expect(await bench.asks(id)).toEqual(before);
    // The same question is still the same ask.
    expect((await stat(id, path, "onAsk=fail")).body.details.permissionID).toBe(permissionID);
    expect((await bench.reply(permissionID, "banana")).status).toBe(400);
    const replies = await Promise.all(Array.from({ length: 8 }, () => bench.reply(permissionID, "once")));
    expect(replies.map(({ status }) => status).sort()).toEqual([200, ...Array.from({ length: 7 }, () => 409)]);
    const retries = await Promise.all(
      Array.from({ length: 8 }, () => stat(id, path, `onAsk=fail&permissionID=${permissionID}`)),
    );
    expect(retries.filter(({ status }) => status === 200)).toHaveLength(1);
    await restart(signal);
    expect((await stat(id, path, `onAsk=fail&permissionID=${permissionID}`)).status).toBe(403);
  });

  it("an answer that was given before counts once after it, and a reject is not asked about again", async () => {
    const id = await workspace();
    const [once, rejected] = [await outside("once"), await outside("rejected")];
    const ids = { once: "", rejected: "" };
    ids.once = (await stat(id, once, "onAsk=fail")).body.details.permissionID;
    ids.rejected = (await stat(id, rejected, "onAsk=fail")).body.details.permissionID;
    await bench.reply(ids.once, "once");
    await bench.reply(ids.rejected, "reject");
    await restart(signal);
    expect((await bench.reply(ids.once, "once")).status).toBe(409);
    const retry = () => stat(id, once, `onAsk=fail&permissionID=${ids.once}`);
    expect((await retry()).status).toBe(200);
    expect((await retry()).status).toBe(403);
    const again = await stat(id, rejected, `onAsk=fail&permissionID=${ids.rejected}`);
    expect(again.body).toMatchObject({ code: "permission_rejected" });
  });

  it("a request that waited joins its ask when it is sent again, and is answered whether it came before or after", async () => {
    const id = await workspace();
    const [early, late] = [await outside("early"), await outside("late")];
    for (const path of [early, late]) {
      const cut = stat(id, path, "onAsk=wait").catch((error: unknown) => error);
      await eventually(async () => ((await bench.asks(id)).some((ask) => ask.path === path) ? true : undefined));
      void cut;
    }
    const asked = await bench.asks(id);
    await restart(signal);
    const idOf = (path: string) => asked.find((ask) => ask.path === path)?.id ?? "";
    const joined = stat(id, early, "onAsk=wait");
    await bench.send("/global/health");
    expect((await bench.reply(idOf(late), "once")).status).toBe(200);
    expect((await stat(id, late, "onAsk=wait")).status).toBe(200);
    expect((await bench.asks(id)).map((ask) => ask.id)).toEqual([idOf(early)]);
    expect((await bench.reply(idOf(early), "once")).status).toBe(200);
    expect((await joined).status).toBe(200);
    expect(await kept()).toEqual([]);
    // It was once: the next one asks.
    expect((await stat(id, late, "onAsk=fail")).status).toBe(403);
  });
});

describe("a client that goes away while it waits", () => {
  it("finds the ask of its command again, but that of a file ended with its request", async () => {
    const id = await workspace();
    const path = await outside("a");
    await writeFile(join(path, "f"), "");
    const command = { commandID: newID("cmd"), sessionID: newID("ses"), workspaceID: id, command: "pwd", cwd: path };
    for (const request of ["/command", `/file/stat?path=${path}/f`]) {
      const leaving = new AbortController();
      const body = request === "/command" ? { body: command } : {};
      const gone = bench.send(request, { ...body, workspace: id, signal: leaving.signal });
      await eventually(async () => ((await bench.asks(id)).length === (body.body ? 1 : 2) ? true : undefined));
      leaving.abort();
      await expect(gone).rejects.toThrow();
    }
    const [ask] = await eventually(async () => {
      const asks = await bench.asks(id);
      return asks.length === 1 ? asks : undefined;
    });
    expect(ask).toMatchObject({ path, reason: "run pwd" });
    const again = bench.send<{ state: string }>("/command", { body: command });
    expect((await bench.reply(ask?.id ?? "", "once")).status).toBe(200);
    expect((await again).status).toBe(200);
    expect(await kept()).toEqual([]);
  });
});
