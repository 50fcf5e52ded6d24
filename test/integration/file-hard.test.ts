// Files in hard places: full and read-only disks, other file systems, other owners, sparse, huge and shrinking ones.
import { chmod, chown, mkdir, readdir, readFile, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect } from "vitest";
import type { BatchAnswer, FileView, FileWritten } from "../../protocol/file.js";
import { type SmallDisk, smallDisk } from "../fixtures/small-disk.js";
import { describe, it } from "../fixtures/with-compiler.js";
import { type Workbench, workbench } from "../fixtures/workbench.js";

let bench: Workbench;
beforeAll(async () => {
  bench = await workbench();
});
afterAll(() => bench.stub.stop());

const isRoot = process.getuid?.() === 0;
const query = (fields: Record<string, string | number>) =>
  new URLSearchParams({ onAsk: "fail", ...Object.fromEntries(Object.entries(fields).map(([k, v]) => [k, String(v)])) });

interface Failure {
  code: string;
  message: string;
}

function filesOf(workspace: string) {
  const send = <T>(path: string, options: object = {}) => bench.send<T & Failure>(path, { workspace, ...options });
  return {
    put: (path: string, body: Uint8Array) =>
      send<FileWritten>(`/file/content?${query({ path })}`, { method: "PUT", body }),
    view: (path: string, signal?: AbortSignal) =>
      send<FileView>(`/file/view?${query({ path })}`, signal === undefined ? {} : { signal }),
    move: (from: string, to: string) => send("/file/move?onAsk=fail", { body: { from, to } }),
    batch: (steps: object[]) => send<BatchAnswer>("/file/batch", { body: { steps, onAsk: "fail" } }),
    get: (path: string, more: Record<string, number> = {}) =>
      bench.stub.fetch(`/file/content?${query({ path, ...more })}`, { workspace }),
  };
}

describe.skipIf(!isRoot)(`on a disk of its own${isRoot ? "" : " (skipped: needs root to mount a tmpfs)"}`, () => {
  let disk: SmallDisk;
  beforeAll(async () => {
    disk = await smallDisk("size=2m");
  });
  afterAll(() => disk[Symbol.asyncDispose]());

  it("a disk that fills up in the middle of a write is ENOSPC; the old content is whole and nothing is left behind", async () => {
    const { put, batch } = filesOf((await bench.workspace({ directory: disk.path })).id);
    const old = Buffer.alloc(300_000, "o");
    expect((await put("file", old)).status).toBe(200);
    const large = Buffer.alloc(3 * 1024 * 1024, "n");
    expect(await put("file", large)).toMatchObject({ status: 507, body: { code: "ENOSPC" } });
    expect(await put("fresh", large)).toMatchObject({ status: 507, body: { code: "ENOSPC" } });
    const { body } = await batch([
      { op: "write", path: "file", base64: large.toString("base64") },
      { op: "read", path: "file", maxBytes: 3 },
    ]);
    expect(body.results).toMatchObject([{ error: { code: "ENOSPC" } }, { ok: true, base64: "b29v" }]);
    expect(await readdir(disk.path)).toEqual(["file"]);
    expect((await readFile(join(disk.path, "file"))).equals(old)).toBe(true);
    expect((await put("file", Buffer.from("fits again"))).status).toBe(200);
  });

  it("a file is not moved to another file system by halves: EXDEV, and it stays; a read-only one is EROFS", async () => {
    const project = await bench.workspace({ directory: await bench.outside("beside"), readRoots: [] });
    await writeFile(join(project.directory, "f"), "here");
    await mkdir(join(project.directory, "tree"));
    const { move, put } = filesOf(project.id);
    const refused = await move("f", join(disk.path, "f"));
    expect(refused).toMatchObject({ status: 403, body: { code: "permission_required" } });
    const both = filesOf((await bench.workspace({ directory: disk.path })).id);
    const { body } = await both.move("file", join(project.directory, "file"));
    const { asks = [], permissionID } = (
      body as unknown as { details: { asks?: { permissionID: string }[]; permissionID: string } }
    ).details;
    for (const id of asks.length > 0 ? asks.map((ask) => ask.permissionID) : [permissionID])
      await bench.reply(id, "always");
    for (const from of ["file"]) {
      expect(await both.move(from, join(project.directory, from))).toMatchObject({
        status: 400,
        body: { code: "EXDEV" },
      });
    }
    expect(await readdir(disk.path)).toContain("file");
    expect((await readdir(project.directory)).sort()).toEqual(["f", "tree"]);
    expect((await put("f", Buffer.from("x"))).status).toBe(200);
    disk.readOnly(true);
    expect(await both.put("file", Buffer.from("x"))).toMatchObject({ status: 403, body: { code: "EROFS" } });
    disk.readOnly(false);
  });
});

it.skipIf(!isRoot)(
  "owner, group and mode of another user's file are kept (needs root to have such a file)",
  async () => {
    const project = await bench.workspace();
    const path = join(project.directory, "theirs");
    await writeFile(path, "old");
    await chown(path, 12_345, 23_456);
    await chmod(path, 0o6751);
    expect((await filesOf(project.id).put("theirs", Buffer.from("new"))).status).toBe(200);
    const { uid, gid, mode } = await stat(path);
    expect([uid, gid, mode & 0o7777]).toEqual([12_345, 23_456, 0o6751]);
  },
);

it("a sparse file of a terabyte is looked at and read in ranges at once, and refused as a whole", async () => {
  const project = await bench.workspace();
  const { get, view } = filesOf(project.id);
  const path = join(project.directory, "sparse");
  await writeFile(path, "start");
  await truncate(path, 1024 ** 4);
  expect((await view("sparse")).body).toMatchObject({ type: "binary", size: 1024 ** 4 });
  expect(Buffer.from(await (await get("sparse", { length: 5 })).arrayBuffer()).toString()).toBe("start");
  const end = await get("sparse", { offset: 1024 ** 4 - 3 });
  expect([end.status, (await end.arrayBuffer()).byteLength]).toEqual([200, 3]);
  const whole = await get("sparse");
  expect([whole.status, ((await whole.json()) as Failure).code]).toEqual([413, "EFBIG"]);
});

it("a file that shrinks and grows while it is read gives what was there, never an error or bytes of nothing", async () => {
  const project = await bench.workspace();
  const { get, view } = filesOf(project.id);
  const path = join(project.directory, "restless");
  const sizes = [20 * 1024 * 1024, 10, 3_000_000, 17 * 1024 * 1024];
  await writeFile(path, "x");
  let over = false;
  const restless = (async () => {
    for (let round = 0; !over; round += 1) await writeFile(path, Buffer.alloc(sizes[round % sizes.length] ?? 1, "x\n"));
  })();
  for (let round = 0; round < 15; round += 1) {
    const read = await get("restless", { length: 18 * 1024 * 1024 });
    expect(read.status).toBe(200);
    const bytes = Buffer.from(await read.arrayBuffer());
    expect(bytes.includes(0)).toBe(false);
    expect(["text", "binary"]).toContain((await view("restless")).body.type);
  }
  over = true;
  await restless;
});
