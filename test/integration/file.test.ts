// The file API: bytes are bytes, versions are compared, and every way out asks.
import { execFileSync } from "node:child_process";
import {
  chmod,
  link,
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { BatchAnswer, FileNode, FileStat, FileView, FileWritten } from "../../protocol/file.js";
import type { Workspace } from "../../protocol/workspace.js";
import type { StubFetchOptions } from "../fixtures/stub.js";
import { describe } from "../fixtures/with-compiler.js";
import { type Answer, type Workbench, workbench } from "../fixtures/workbench.js";

let bench: Workbench;
let workspace: Workspace & { directory: string };
beforeAll(async () => {
  bench = await workbench();
  workspace = await bench.workspace();
});
afterAll(() => bench.stub.stop());

interface Failure {
  code: string;
  message: string;
  hint?: string;
  details?: { path?: string; tag?: string; suggestions?: string[]; access?: string };
}

const query = (fields: Record<string, string | number | boolean>) =>
  new URLSearchParams({ onAsk: "fail", ...Object.fromEntries(Object.entries(fields).map(([k, v]) => [k, String(v)])) });
const send = <T>(path: string, options: StubFetchOptions = {}): Promise<Answer<T & Failure>> =>
  bench.send<T & Failure>(path, { workspace: workspace.id, ...options });
const put = (path: string, data: string | Uint8Array, more: Record<string, string | boolean> = {}) => {
  const body = typeof data === "string" ? new TextEncoder().encode(data) : data;
  return send<FileWritten>(`/file/content?${query({ path, ...more })}`, { method: "PUT", body });
};
const look = (path: string) => send<FileStat>(`/file/stat?${query({ path })}`);
const view = (path: string, more: Record<string, number> = {}) =>
  send<FileView>(`/file/view?${query({ path, ...more })}`);
const remove = (path: string, more: Record<string, boolean> = {}) =>
  send(`/file?${query({ path, ...more })}`, { method: "DELETE" });
const move = (body: object) => send("/file/move?onAsk=fail", { body });
const mkdirs = (body: object) => send("/file/mkdir?onAsk=fail", { body });
const here = (name: string) => join(workspace.directory, name);

async function get(path: string, more: Record<string, number> = {}) {
  const answer = await bench.stub.fetch(`/file/content?${query({ path, ...more })}`, { workspace: workspace.id });
  return { status: answer.status, headers: answer.headers, data: Buffer.from(await answer.arrayBuffer()) };
}

describe("reading and writing", () => {
  it("returns exactly the bytes that were written, whatever they are (row 32)", async () => {
    const bytes = Uint8Array.from({ length: 70_000 }, (_, index) => (index * 7 + (index >> 8)) & 0xff);
    const written = await put("bytes.bin", bytes);
    expect(written).toMatchObject({ status: 200, body: { path: here("bytes.bin"), size: 70_000, existed: false } });
    const read = await get("bytes.bin");
    expect(Buffer.compare(read.data, bytes)).toBe(0);
    expect(read.headers.get("x-file-tag")).toBe(written.body.tag);
    expect(read.headers.get("x-file-size")).toBe("70000");
    expect(decodeURIComponent(read.headers.get("x-file-path") ?? "")).toBe(here("bytes.bin"));
    expect((await put("empty", "")).body).toMatchObject({ size: 0 });
    expect((await get("empty")).data).toHaveLength(0);
  });

  it("reads ranges, also of files above 16 MiB, whose tag is not their content's", async () => {
    await put("range", "0123456789");
    expect((await get("range", { offset: 3, length: 4 })).data.toString()).toBe("3456");
    expect((await get("range", { offset: 8, length: 100 })).data.toString()).toBe("89");
    expect((await get("range", { offset: 100 })).data).toHaveLength(0);
    await writeFile(here("large"), "");
    await truncate(here("large"), 20 * 1024 * 1024);
    const large = await get("large", { offset: 20 * 1024 * 1024 - 5 });
    expect(large.data).toHaveLength(5);
    expect(large.headers.get("x-file-tag")).toMatch(/^s/);
    await rm(here("large"));
  });

  it("keeps the mode of the file it replaces; a new one has what the user's umask leaves", async () => {
    await writeFile(here("script"), "old");
    await chmod(here("script"), 0o751);
    await put("script", "new");
    expect((await stat(here("script"))).mode & 0o7777).toBe(0o751);
    await put("fresh", "new");
    const umask = process.umask();
    expect((await stat(here("fresh"))).mode & 0o777).toBe(0o666 & ~umask);
  });

  it("a missing parent is ENOENT, unless parents is asked for; a name of 255 bytes works", async () => {
    expect(await put("no/such/dir/f", "x")).toMatchObject({ status: 404, body: { code: "ENOENT" } });
    expect((await put("no/such/dir/f", "x", { parents: true })).status).toBe(200);
    expect((await put("fresh/f", "x", { parents: true })).body.code).toBe("ENOTDIR");
    expect((await put("n".repeat(255), "x")).status).toBe(200);
    expect((await put("n".repeat(256), "x")).body.code).toBe("ENAMETOOLONG");
  });

  it("writes through a link to what it leads to, and the link stays one", async () => {
    await writeFile(here("target"), "old");
    await symlink("target", here("link"));
    expect((await put("link", "new")).body.path).toBe(here("target"));
    expect(await readlink(here("link"))).toBe("target");
    expect(await readFile(here("target"), "utf8")).toBe("new");
    await symlink("nowhere", here("dangling"));
    expect(await put("dangling", "x")).toMatchObject({ status: 400, body: { code: "ELOOP" } });
  });

  it("leaves no temporary file behind, also when it fails", async () => {
    await mkdir(here("clean"));
    await put("clean/f", "1");
    await put("clean/f", "2", { ifMatch: "wrong" });
    expect(await readdir(here("clean"))).toEqual(["f"]);
  });

  it("does not write into a file that has another name elsewhere: the hard link outside keeps its content", async () => {
    const outside = await bench.outside("hard");
    await writeFile(join(outside, "shared"), "outside");
    await link(join(outside, "shared"), here("shared"));
    expect((await put("shared", "inside")).status).toBe(200);
    expect(await readFile(join(outside, "shared"), "utf8")).toBe("outside");
  });
});

describe("ifMatch", () => {
  it("lets only the version through that was read; the conflict names the one that is there", async () => {
    const { tag } = (await put("versioned", "one")).body;
    await writeFile(here("versioned"), "by somebody else");
    const conflict = await put("versioned", "two", { ifMatch: tag });
    expect(conflict).toMatchObject({
      status: 409,
      body: { code: "conflict", details: { tag: (await look("versioned")).body.tag } },
    });
    expect(await readFile(here("versioned"), "utf8")).toBe("by somebody else");
    expect((await put("versioned", "two", { ifMatch: String(conflict.body.details?.tag) })).status).toBe(200);
  });

  it("lets exactly one of many writers with the same version through, and of those who remove it meanwhile", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 2, max: 12 }), fc.boolean(), async (writers, remover) => {
        const { tag } = (await put("contested", `start ${Math.random()}`)).body;
        const steps = [{ op: "remove", path: "contested", ifMatch: tag }];
        const removing = remover ? send<BatchAnswer>("/file/batch", { body: { steps } }) : undefined;
        const texts = Array.from({ length: writers }, (_, index) => `by ${index}`);
        const written = await Promise.all(texts.map((text) => put("contested", text, { ifMatch: tag })));
        const removed = (await removing)?.body.results[0]?.ok === true;
        const winners = texts.filter((_, index) => written[index]?.status === 200);
        expect(winners.length + (removed ? 1 : 0)).toBe(1);
        expect(await readFile(here("contested"), "utf8").catch(() => "removed")).toBe(winners[0] ?? "removed");
        for (const { status, body } of written) if (status !== 200) expect(body.code).toBe("conflict");
      }),
      { numRuns: 15 },
    );
  });

  it("absent means that nothing may be there yet; and one that is gone is a conflict, too", async () => {
    expect((await put("new-file", "x", { ifMatch: "absent" })).status).toBe(200);
    expect(await put("new-file", "y", { ifMatch: "absent" })).toMatchObject({
      status: 409,
      body: { code: "conflict" },
    });
    await rm(here("new-file"));
    const { tag } = (await put("other", "x")).body;
    await rm(here("other"));
    expect(await put("other", "y", { ifMatch: tag })).toMatchObject({
      status: 409,
      body: { details: { tag: "absent" } },
    });
  });
});

describe("what is no file", () => {
  it("fifos, sockets and devices are refused at once, and nobody waits for their other end", async () => {
    execFileSync("mkfifo", [here("fifo")]);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(here("sock"), resolve));
    await symlink("/dev/zero", here("zero"));
    for (const name of ["fifo", "sock"]) {
      expect([name, (await get(name)).status]).toEqual([name, 400]);
      expect((await view(name)).body.code).toBe("EINVAL");
      expect((await put(name, "x")).body.code).toBe("EINVAL");
      expect((await look(name)).body).toMatchObject({ type: "other" });
    }
    expect((await view("zero")).body.code).toBe("permission_required");
    server.close();
    await rm(here("fifo"));
  });

  it("directories are EISDIR to read and to write, files are ENOTDIR to list", async () => {
    await mkdir(here("directory"));
    expect((await get("directory")).status).toBe(400);
    expect(await put("directory", "x")).toMatchObject({ status: 400, body: { code: "EISDIR" } });
    expect(await put("directory/", "x")).toMatchObject({ status: 400, body: { code: "EISDIR" } });
    expect(await send(`/file?${query({ path: "fresh" })}`)).toMatchObject({ status: 400, body: { code: "ENOTDIR" } });
  });
});

describe("ways out of the workspace", () => {
  it("all ask with the real path: .., absolute paths, ~, links to files and directories, links in the middle", async () => {
    const outside = await bench.outside("beyond");
    await writeFile(join(outside, "f"), "SECRET");
    await symlink(outside, here("out"));
    await symlink(join(outside, "f"), here("out-file"));
    const name = outside.split("/").pop() ?? "";
    for (const path of [`../${name}/f`, join(outside, "f"), `~/${name}/f`, "out/f", "out-file", `out/../${name}/f`]) {
      const real = join(outside, "f");
      const required = { status: 403, body: { code: "permission_required", details: { path: real } } };
      expect(await look(path)).toMatchObject(required);
      expect(await view(path)).toMatchObject(required);
      expect((await get(path)).status).toBe(403);
      expect(await put(path, "changed")).toMatchObject({
        ...required,
        body: { details: { path: real, access: "write" } },
      });
    }
    expect(await remove("out/f")).toMatchObject({ status: 403, body: { code: "permission_required" } });
    expect(await mkdirs({ path: "out/new" })).toMatchObject({ status: 403 });
    expect(await move({ from: "fresh", to: "out/fresh" })).toMatchObject({ status: 403 });
    expect(await move({ from: "out/f", to: "stolen" })).toMatchObject({ status: 403 });
    expect(await readdir(outside)).toEqual(["f"]);
    expect(await readFile(join(outside, "f"), "utf8")).toBe("SECRET");
  });

  it("what is not there asks like what is: nothing outside can be probed for", async () => {
    const outside = await bench.outside("probe");
    for (const path of [join(outside, "none"), join(outside, "no/such/dir"), "/no-such-root/x"]) {
      expect(await look(path)).toMatchObject({ status: 403, body: { code: "permission_required", details: { path } } });
      expect(await put(path, "x", { parents: true })).toMatchObject({ status: 403 });
    }
    expect(await readdir(outside)).toEqual([]);
  });

  it("the process file system and the stub's own files are not served, and not asked for", async () => {
    const refused = { status: 403, body: { code: "EACCES" } };
    for (const path of ["/proc/self/environ", "/proc/1/root/etc/passwd", `/proc/${bench.stub.pid}/mem`]) {
      expect(await look(path)).toMatchObject(refused);
    }
    for (const name of ["run/stub.token", "state/approvers/x.pub", "log/audit.log", "state/none"]) {
      expect(await look(join(bench.stub.installRoot, name))).toMatchObject(refused);
      expect(await put(join(bench.stub.installRoot, name), "x")).toMatchObject(refused);
    }
    await symlink(join(bench.stub.installRoot, "run"), here("run"));
    expect(await look("run/stub.token")).toMatchObject(refused);
  });

  it("a request that names no workspace is refused (400), as is NUL in a path", async () => {
    expect(await bench.send("/file/stat?path=/etc")).toMatchObject({
      status: 400,
      body: { code: "workspace_required" },
    });
    expect(await bench.send("/file/stat?path=/etc&workspace=../x")).toMatchObject({
      status: 400,
      body: { code: "invalid_id" },
    });
    expect(await look("a\0b")).toMatchObject({ status: 400, body: { code: "invalid_path" } });
    expect(await put("a\0b", "x")).toMatchObject({ status: 400, body: { code: "invalid_path" } });
  });
});

describe("moving, making and removing", () => {
  it("moves files and directories, over an existing name only when told so", async () => {
    await put("m/a", "a", { parents: true });
    await put("m/b", "b");
    expect(await move({ from: "m/a", to: "m/b" })).toMatchObject({ status: 409, body: { code: "EEXIST" } });
    expect((await move({ from: "m/a", to: "m/b", overwrite: true })).status).toBe(200);
    expect(await readdir(here("m"))).toEqual(["b"]);
    expect(await move({ from: "m", to: "deep/er/m" })).toMatchObject({ status: 404, body: { code: "ENOENT" } });
    expect((await move({ from: "m", to: "deep/er/m", parents: true })).status).toBe(200);
    expect(await readFile(here("deep/er/m/b"), "utf8")).toBe("a");
    expect(await move({ from: "m", to: "m2" })).toMatchObject({ status: 404, body: { code: "ENOENT" } });
    expect(await move({ from: ".", to: "x" })).toMatchObject({ status: 400, body: { code: "EISDIR" } });
    expect(await move({ from: workspace.directory, to: here("x") })).toMatchObject({
      status: 409,
      body: { code: "EBUSY" },
    });
  });

  it("makes directories, with parents and without", async () => {
    expect(await mkdirs({ path: "made/a/b" })).toMatchObject({ status: 404, body: { code: "ENOENT" } });
    expect((await mkdirs({ path: "made/a/b", parents: true })).status).toBe(200);
    expect((await mkdirs({ path: "made/a/b/", parents: true })).status).toBe(200);
    expect(await mkdirs({ path: "made" })).toMatchObject({ status: 409, body: { code: "EEXIST" } });
    expect((await lstat(here("made/a/b"))).isDirectory()).toBe(true);
  });

  it("removes a tree without following its links, and a link without what it leads to", async () => {
    const outside = await bench.outside("kept");
    await writeFile(join(outside, "f"), "kept");
    await mkdir(here("tree/deep"), { recursive: true });
    await symlink(outside, here("tree/deep/link"));
    await writeFile(here("tree/deep/f"), "");
    expect(await remove("tree")).toMatchObject({ status: 400, body: { code: "EISDIR" } });
    expect((await remove("tree", { recursive: true })).status).toBe(200);
    await symlink(outside, here("just-a-link"));
    expect((await remove("just-a-link")).status).toBe(200);
    expect(await readFile(join(outside, "f"), "utf8")).toBe("kept");
    expect(await remove("just-a-link")).toMatchObject({ status: 404, body: { code: "ENOENT" } });
  });
});

describe("GET /file", () => {
  it("lists directories first, then by name, with OpenCode's fields", async () => {
    await mkdir(here("list/z-dir"), { recursive: true });
    await writeFile(here("list/a-file"), "");
    await symlink("a-file", here("list/b-link"));
    expect((await send<FileNode[]>(`/file?${query({ path: "list" })}`)).body).toEqual([
      { name: "z-dir", path: "list/z-dir/", absolute: here("list/z-dir"), type: "directory", ignored: false },
      { name: "a-file", path: "list/a-file", absolute: here("list/a-file"), type: "file", ignored: false },
      { name: "b-link", path: "list/b-link", absolute: here("list/b-link"), type: "symlink", ignored: false },
    ]);
  });

  it("marks what the project ignores: by its own rules, by those of the directories between, and by git's precedence", async () => {
    await mkdir(here("marked/dist/kept"), { recursive: true });
    await mkdir(here("marked/sub/build"), { recursive: true });
    for (const name of ["a.log", "important.log", "a.ts", "sub/x.tmp", "sub/only.log", "dist/kept/f", "LOUD.LOG"]) {
      await writeFile(here(`marked/${name}`), "");
    }
    await writeFile(here("marked/.gitignore"), "*.log\n!important.log\ndist/\n/sub/build\n");
    await writeFile(here("marked/.ignore"), "a.ts\n");
    await writeFile(here("marked/sub/.gitignore"), "*.tmp\n!only.log\n");
    await writeFile(here("marked/dist/.gitignore"), "!kept\n");
    const project = await bench.workspace({ directory: here("marked") });
    const ignored = async (path: string) =>
      (await bench.send<FileNode[]>(`/file?${query({ path })}`, { workspace: project.id })).body
        .filter((node) => node.ignored)
        .map(({ name }) => name);
    expect(await ignored(".")).toEqual(["dist", "a.log", "a.ts"]);
    expect(await ignored("sub")).toEqual(["build", "x.tmp"]);
    expect(await ignored("dist")).toEqual(["kept", ".gitignore"]);
    expect(await ignored("dist/kept")).toEqual(["f"]);
  });

  it("reads no rules through a link to where nothing is approved, and asks nobody for them", async () => {
    const outside = await bench.outside("rules");
    await writeFile(join(outside, "rules"), "*\n");
    const project = await bench.workspace();
    await writeFile(join(project.directory, "a"), "");
    await symlink(join(outside, "rules"), join(project.directory, ".gitignore"));
    const { status, body } = await bench.send<FileNode[]>("/file?path=.&onAsk=fail", { workspace: project.id });
    expect(status).toBe(200);
    expect(body.map(({ name, ignored }) => [name, ignored])).toEqual([
      [".gitignore", false],
      ["a", false],
    ]);
    expect(await bench.asks(project.id)).toEqual([]);
  });
});

describe("GET /file/view", () => {
  it("shows lines without their ends, from an offset, with the whole text beside them", async () => {
    await put("text", "one\r\ntwo\n\nfour");
    expect((await view("text")).body).toMatchObject({
      type: "text",
      lines: ["one", "two", "", "four"],
      lineStart: 1,
      totalLines: 4,
      truncated: null,
      content: "one\r\ntwo\n\nfour",
      tag: (await look("text")).body.tag,
    });
    expect((await view("text", { offset: 2, limit: 2 })).body).toMatchObject({
      lines: ["two", ""],
      lineStart: 2,
      totalLines: 4,
      truncated: "lines",
    });
    expect((await view("text", { offset: 9 })).body).toMatchObject({ lines: [], totalLines: 4, truncated: null });
    await put("nothing", "");
    expect((await view("nothing")).body).toMatchObject({ lines: [], totalLines: 0, truncated: null, content: "" });
  });

  it("cuts after 2000 lines, after 50 KiB, and each line after 2000 characters", async () => {
    await put("many", "x\n".repeat(3000));
    expect((await view("many")).body).toMatchObject({ totalLines: 3000, truncated: "lines", lines: { length: 2000 } });
    await put("wide", `${"y".repeat(999)}\n`.repeat(100));
    const wide = (await view("wide")).body as Extract<FileView, { type: "text" }>;
    expect(wide).toMatchObject({ totalLines: 100, truncated: "bytes", lines: { length: 51 } });
    await put("long", `${"ä".repeat(5000)}\nshort`);
    const long = (await view("long")).body as Extract<FileView, { type: "text" }>;
    expect(long.lines).toEqual([`${"ä".repeat(2000)}... (line truncated to 2000 chars)`, "short"]);
  });

  it("shows any part of a file that is too large to be held, in bounded memory", async () => {
    execFileSync("sh", ["-c", `seq 1 4000000 > ${here("huge")}`]);
    const { body } = await view("huge", { offset: 3_999_999, limit: 10 });
    expect(body).toMatchObject({ lines: ["3999999", "4000000"], totalLines: 4_000_000, truncated: null });
    expect(body).not.toHaveProperty("content");
    await rm(here("huge"));
  });

  it("knows images by their bytes, binaries by theirs, and gives no content of what is no UTF-8", async () => {
    const png = Buffer.from(
      "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
      "base64",
    );
    await put("picture.txt", png);
    expect((await view("picture.txt")).body).toMatchObject({
      type: "media",
      mime: "image/png",
      base64: png.toString("base64"),
    });
    await put("data", Uint8Array.from([1, 2, 0, 3]));
    expect((await view("data")).body).toMatchObject({ type: "binary", size: 4 });
    await put("latin1", Buffer.from("caf\xe9\n", "latin1"));
    const latin1 = (await view("latin1")).body;
    expect(latin1).toMatchObject({ type: "text", lines: ["caf\uFFFD"] });
    expect(latin1).not.toHaveProperty("content");
  });

  it("a directory is its names, and a missing file brings what may have been meant", async () => {
    await mkdir(here("names/sub"), { recursive: true });
    for (const name of ["b.ts", "a.ts"]) await writeFile(here(`names/${name}`), "");
    expect((await view("names")).body).toEqual({
      type: "directory",
      path: here("names"),
      entries: ["a.ts", "b.ts", "sub/"],
      total: 3,
      truncated: false,
    });
    expect((await view("names", { offset: 2, limit: 1 })).body).toMatchObject({ entries: ["b.ts"], truncated: true });
    expect(await view("names/A.ts.bak")).toMatchObject({
      status: 404,
      body: { code: "ENOENT", details: { suggestions: [here("names/a.ts")] } },
    });
    const outside = await bench.outside("hidden");
    await writeFile(join(outside, "secret-plan"), "");
    await symlink(outside, here("names/elsewhere"));
    expect(JSON.stringify(await view("names/elsewhere/secret"))).not.toContain("secret-plan");
  });
});

describe("POST /file/batch", () => {
  const batch = (body: object) => send<BatchAnswer>("/file/batch", { body });
  const base64 = (text: string) => Buffer.from(text).toString("base64");

  it("does its steps in order, and a failed one does not stop the others unless that is asked for", async () => {
    const steps = [
      { op: "write", path: "batch/a", base64: base64("A"), parents: true },
      { op: "read", path: "batch/none" },
      { op: "move", from: "batch/a", to: "batch/b" },
      { op: "read", path: "batch/b" },
      { op: "stat", path: "batch" },
      { op: "remove", path: "batch/b" },
    ];
    const { body } = await batch({ steps, onAsk: "fail" });
    expect(body.results).toMatchObject([
      { ok: true, written: { existed: false, size: 1 } },
      { ok: false, error: { code: "ENOENT" } },
      { ok: true },
      { ok: true, base64: base64("A") },
      { ok: true, stat: { type: "directory" } },
      { ok: true },
    ]);
    const stopped = await batch({ steps, onAsk: "fail", stop: true });
    expect(stopped.body.results.map(({ ok, error }) => error?.code ?? ok)).toEqual([
      true,
      "ENOENT",
      "aborted",
      "aborted",
      "aborted",
      "aborted",
    ]);
  });

  it("asks for everything before it does anything, and the answers let it through as a whole", async () => {
    const outside = await bench.outside("batched");
    const steps = [
      { op: "write", path: "first", base64: base64("1") },
      { op: "write", path: join(outside, "one"), base64: base64("1"), ifMatch: "absent" },
      { op: "write", path: join(outside, "two"), base64: base64("2"), ifMatch: "absent" },
    ];
    const refused = await batch({ steps, onAsk: "fail" });
    expect(refused).toMatchObject({ status: 403, body: { code: "permission_required" } });
    expect(await look("first")).toMatchObject({ status: 404 });
    const { asks } = refused.body.details as unknown as { asks: { permissionID: string; path: string }[] };
    expect(asks.map(({ path }) => path)).toEqual([join(outside, "one"), join(outside, "two")]);
    for (const { permissionID } of asks) await bench.reply(permissionID, "once");
    const [one, two] = asks.map(({ permissionID }) => permissionID);
    expect((await batch({ steps, onAsk: "fail", permissionIDs: [one] })).status).toBe(403);
    const done = await batch({ steps, onAsk: "fail", permissionIDs: [one, two] });
    expect(done.body.results.map(({ ok }) => ok)).toEqual([true, true, true]);
    expect((await batch({ steps, onAsk: "fail", permissionIDs: [one, two] })).status).toBe(403);
  });
});
