// Search on the host: in what is approved, newest first, bounded, and never through a link.
import { execFileSync } from "node:child_process";
import { mkdir, readdir, readFile, symlink, utimes, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { FindAnswer, GlobAnswer } from "../../protocol/search.js";
import type { Workspace } from "../../protocol/workspace.js";
import { eventually, type Workbench, workbench } from "../fixtures/workbench.js";

let bench: Workbench;
let workspace: Workspace & { directory: string };
beforeAll(async () => {
  bench = await workbench();
  workspace = await bench.workspace();
  for (const [index, name] of ["old.ts", "src/middle.ts", "src/deep/new.md"].entries()) {
    await mkdir(join(workspace.directory, "src/deep"), { recursive: true });
    await writeFile(join(workspace.directory, name), `nothing\nthe needle of ${name}\n`);
    await utimes(join(workspace.directory, name), 1_700_000_000, 1_700_000_000 + index);
  }
});
afterAll(() => bench.stub.stop());

const find = (query: Record<string, string>) =>
  bench.send<FindAnswer & { code: string }>(`/find?${new URLSearchParams({ onAsk: "fail", ...query })}`, {
    workspace: workspace.id,
  });
const glob = (body: object) =>
  bench.send<GlobAnswer & { code: string }>("/glob", { body: { onAsk: "fail", ...body }, workspace: workspace.id });

describe("GET /find", () => {
  it("gives path, line, text and age of every match, of the newest files first", async () => {
    expect((await find({ pattern: "nee[d]le" })).body).toEqual({
      matches: ["src/deep/new.md", "src/middle.ts", "old.ts"].map((name, index) => ({
        path: join(workspace.directory, name),
        line: 2,
        text: `the needle of ${name}`,
        mtime: (1_700_000_002 - index) * 1000,
      })),
      truncated: false,
      partial: false,
    });
  });

  it("takes an include, a directory, a single file and a limit", async () => {
    const names = async (query: Record<string, string>) =>
      (await find({ pattern: "needle", ...query })).body.matches.map(({ path }) => basename(path));
    expect(await names({ include: "*.ts" })).toEqual(["middle.ts", "old.ts"]);
    expect(await names({ path: "src/deep" })).toEqual(["new.md"]);
    expect(await names({ path: "old.ts" })).toEqual(["old.ts"]);
    expect(await names({ limit: "1" })).toEqual(["new.md"]);
    expect((await find({ pattern: "needle", limit: "1" })).body.truncated).toBe(true);
    expect((await find({ pattern: "no such thing" })).body).toEqual({ matches: [], truncated: false, partial: false });
  });

  it("a pattern that is none, or that looks like a flag, is what it is", async () => {
    expect(await find({ pattern: "(" })).toMatchObject({
      status: 400,
      body: { code: "invalid_request", hint: expect.stringContaining("regex") },
    });
    expect((await find({ pattern: "--files" })).body.matches).toEqual([]);
    expect((await find({ pattern: "needle", path: "missing" })).body).toMatchObject({ code: "ENOENT" });
  });

  it("asks outside, and follows no link that leads there", async () => {
    const outside = await bench.outside("secret");
    await writeFile(join(outside, "f"), "the needle outside\n");
    await symlink(outside, join(workspace.directory, "dir-link"));
    await symlink(join(outside, "f"), join(workspace.directory, "file-link"));
    expect(await find({ pattern: "needle", path: outside })).toMatchObject({
      status: 403,
      body: { code: "permission_required" },
    });
    expect(await find({ pattern: "needle", path: "dir-link" })).toMatchObject({ status: 403 });
    expect(await find({ pattern: "needle", path: "file-link" })).toMatchObject({ status: 403 });
    expect(JSON.stringify((await find({ pattern: "outside" })).body)).not.toContain(outside);
    expect((await glob({ pattern: "**/*", path: outside })).status).toBe(403);
  });

  it("cuts lines of any length, and what is no UTF-8 does not break it", async () => {
    const directory = join(workspace.directory, "odd");
    await mkdir(directory);
    await writeFile(join(directory, "long"), `${"x".repeat(100_000)} haystack\n`);
    await writeFile(join(directory, "latin1"), Buffer.from("haystack caf\xe9\n", "latin1"));
    const { body } = await find({ pattern: "haystack", path: "odd" });
    expect(body.matches.map(({ text }) => text.length).sort((a, b) => a - b)).toEqual([13, 2003]);
  });

  it("is ended with its request: ripgrep does not go on for nobody", async () => {
    const fifo = join(workspace.directory, "blocking");
    await mkdir(fifo);
    execFileSync("sh", [
      "-c",
      `cd ${fifo} && for i in $(seq 1 40); do head -c 20000000 /dev/zero | tr '\\0' 'a' > big$i; done`,
    ]);
    const children = async () => {
      const list = await readFile(`/proc/${bench.stub.pid}/task/${bench.stub.pid}/children`, "utf8");
      const names = await Promise.all(
        list
          .trim()
          .split(" ")
          .filter(Boolean)
          .map((pid) => readFile(`/proc/${pid}/comm`, "utf8").catch(() => "")),
      );
      return names.filter((name) => name.trim() === "rg").length;
    };
    const leaving = new AbortController();
    const search = bench.send(`/find?${new URLSearchParams({ pattern: "(a|b|c)*(d|e)$", path: "blocking" })}`, {
      workspace: workspace.id,
      signal: leaving.signal,
    });
    await eventually(async () => ((await children()) === 1 ? true : undefined));
    leaving.abort();
    await expect(search).rejects.toThrow();
    await eventually(async () => ((await children()) === 0 ? true : undefined));
    await bench.send("/file?path=blocking&recursive=true", { method: "DELETE", workspace: workspace.id });
  });
});

describe("POST /glob", () => {
  it("finds what the pattern names, hidden and ignored files too, as OpenCode's does; never git's own", async () => {
    const project = await bench.workspace();
    execFileSync("git", ["init", "-q", project.directory]);
    for (const name of [".hidden.ts", "kept.ts", "ignored.ts", ".gitignore"]) {
      await writeFile(join(project.directory, name), name === ".gitignore" ? "ignored.ts\n" : "");
    }
    const answer = await bench.send<GlobAnswer>("/glob", { body: { pattern: "**/*.ts" }, workspace: project.id });
    expect(answer.body.files.map(({ path }) => basename(path)).sort()).toEqual([".hidden.ts", "ignored.ts", "kept.ts"]);
    const all = await bench.send<GlobAnswer>("/glob", { body: { pattern: "**/*" }, workspace: project.id });
    expect(all.body.files.some(({ path }) => path.includes("/.git/"))).toBe(false);
  });

  it("stops at its limit and says so", async () => {
    const many = await bench.workspace();
    for (let index = 0; index < 120; index += 1) await writeFile(join(many.directory, `f${index}`), "");
    const answer = (body: object) =>
      bench.send<GlobAnswer>("/glob", { body: { pattern: "*", ...body }, workspace: many.id });
    expect((await answer({})).body).toMatchObject({ files: { length: 100 }, truncated: true });
    expect((await answer({ limit: 120 })).body).toMatchObject({ files: { length: 120 }, truncated: false });
    expect((await readdir(many.directory)).length).toBe(120);
    expect((await glob({ pattern: "*.ts" })).body.files[0]).toMatchObject({ mtime: expect.any(Number) });
    expect((await glob({ pattern: "[" })).status).toBe(400);
  });
});

describe("GET /find/file", () => {
  it("gives names like the query, best first, relative to the directory", async () => {
    const names = async (query: string) =>
      (await bench.send<string[]>(`/find/file?query=${query}&workspace=${workspace.id}`)).body;
    expect((await names("new"))[0]).toBe("src/deep/new.md");
    expect((await names("deep"))[0]).toBe("src/deep/");
    expect(await names("smt")).toContain("src/middle.ts");
    expect(await names("zzzz")).toEqual([]);
  });
});
