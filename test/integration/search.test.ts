// Search on the host: in what is approved, bounded, cancellable, and never through a link.
import { execFileSync } from "node:child_process";
import { mkdir, readdir, readFile, symlink, utimes, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { FindAnswer, GlobAnswer, TextMatch } from "../../protocol/search.js";
import type { Workspace } from "../../protocol/workspace.js";
import type { FileContext } from "../../stub/files/access.js";
import type { Pass } from "../../stub/permission/gate.js";
import { Search } from "../../stub/search/search.js";
import { describe } from "../fixtures/with-compiler.js";
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

const find = (body: Record<string, string | number>) =>
  bench.send<FindAnswer & { code: string }>("/grep", { body: { onAsk: "fail", ...body }, workspace: workspace.id });
const glob = (body: object) =>
  bench.send<GlobAnswer & { code: string }>("/glob", { body: { onAsk: "fail", ...body }, workspace: workspace.id });

describe("POST /grep", () => {
  it("gives path, line and text of every match", async () => {
    const { body } = await find({ pattern: "nee[d]le" });
    expect({ ...body, matches: body.matches.sort((a, b) => (a.path < b.path ? -1 : 1)) }).toEqual({
      matches: ["old.ts", "src/deep/new.md", "src/middle.ts"].map((name) => ({
        path: join(workspace.directory, name),
        line: 2,
        text: `the needle of ${name}`,
      })),
      truncated: false,
      partial: false,
    });
  });

  it("takes an include, a directory, a single file and a limit", async () => {
    const names = async (query: Record<string, string | number>) =>
      (await find({ pattern: "needle", ...query })).body.matches.map(({ path }) => basename(path)).sort();
    expect(await names({ include: "*.ts" })).toEqual(["middle.ts", "old.ts"]);
    expect(await names({ path: "src/deep" })).toEqual(["new.md"]);
    expect(await names({ path: "old.ts" })).toEqual(["old.ts"]);
    expect(await names({ limit: 1 })).toHaveLength(1);
    expect((await find({ pattern: "needle", limit: 1 })).body.truncated).toBe(true);
    expect((await find({ pattern: "needle", limit: 3 })).body).toMatchObject({
      matches: { length: 3 },
      truncated: false,
    });
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

  it("finds text behind byte order marks and in UTF-16, as ripgrep reads it", async () => {
    const directory = join(workspace.directory, "marks");
    await mkdir(directory);
    await writeFile(join(directory, "utf8"), "\ufefffirst\r\nmarked twice\r\n");
    await writeFile(join(directory, "utf16le"), Buffer.from("\ufefffirst\nmarked wide\n", "utf16le"));
    await writeFile(join(directory, "utf16be"), Buffer.from("\ufeffmarked big\n", "utf16le").swap16());
    await writeFile(join(directory, "start"), "\ufeffmarked at once\n");
    const { body } = await find({ pattern: "marked", path: "marks" });
    expect(body.matches.map(({ text }) => text).sort()).toEqual(
      ["marked at once", "marked big", "marked twice", "marked wide"].sort(),
    );
    expect(body).toMatchObject({ truncated: false, partial: false });
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
    const search = bench.send("/grep", {
      body: { pattern: "(a|b|c)*(d|e)$", path: "blocking" },
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

describe("GET /find, as OpenCode's own", () => {
  it("gives ripgrep's records, relative to the directory, ten unless more are wanted; and no symbols", async () => {
    const text = (query: Record<string, string>) =>
      bench.send<TextMatch[]>(`/find?${new URLSearchParams(query)}`, { workspace: workspace.id });
    expect((await text({ pattern: "nee.le of old" })).body).toEqual([
      {
        path: { text: "old.ts" },
        lines: { text: "the needle of old.ts\n" },
        line_number: 2,
        absolute_offset: 8,
        submatches: [{ match: { text: "needle of old" }, start: 4, end: 17 }],
      },
    ]);
    const many = await bench.workspace();
    await writeFile(join(many.directory, "f"), "x\n".repeat(50));
    const count = async (query: string) =>
      (await bench.send<TextMatch[]>(`/find?pattern=x${query}`, { workspace: many.id })).body.length;
    expect([await count(""), await count("&limit=20")]).toEqual([10, 20]);
    expect((await bench.send("/find/symbol?query=x", { workspace: workspace.id })).body).toEqual([]);
  });
});

describe("a search without end", () => {
  it("holds little of a million matches: ripgrep is ended at the limit", async () => {
    const many = await bench.workspace();
    execFileSync("sh", ["-c", `yes 'the same line again and again, needle' | head -1000000 > ${many.directory}/f`]);
    const rss = async () =>
      Number(/VmHWM:\s+(\d+)/.exec(await readFile(`/proc/${bench.stub.pid}/status`, "utf8"))?.[1]) / 1024;
    const before = await rss();
    for (const limit of [100, 10_000]) {
      const body = { pattern: "needle", limit };
      const answer = await bench.send<FindAnswer>("/grep", { body, workspace: many.id });
      expect(answer.body).toMatchObject({ matches: { length: limit }, truncated: true });
    }
    expect((await rss()) - before).toBeLessThan(100);
  });

  it("is cut when its time is up, and says that it is only a part; others wait for their turn and can leave", async () => {
    const slow = join(await bench.outside("slow"), "rg");
    const script = "#!/bin/sh\nprintf 'a\\0b\\0'\nexec sleep 60\n";
    await writeFile(slow, script, { mode: 0o755 });
    const search = new Search({ ripgrep: slow, timeLimitMs: 300 });
    const { directory } = await bench.workspace();
    for (const name of ["a", "b"]) await writeFile(join(directory, name), "");
    const context = (signal: AbortSignal): FileContext => {
      const pass = { allows: () => true, require: async () => undefined, asker: { signal } } as unknown as Pass;
      const base = { directory, home: "/nonexistent" };
      return { pass, base, installRoot: "/nonexistent", umask: 0o022 };
    };
    const leaving = new AbortController();
    const all = Array.from({ length: 6 }, (_, index) =>
      search.glob(context(index === 5 ? leaving.signal : new AbortController().signal), { pattern: "*" }),
    );
    leaving.abort();
    await expect(all[5]).rejects.toMatchObject({ code: "aborted" });
    for (const each of all.slice(0, 5)) {
      const { files, truncated } = await each;
      expect([files.map(({ path }) => basename(path)), truncated]).toEqual([["a", "b"], true]);
    }
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
    expect(await names("deep&type=directory")).toEqual(["src/deep/"]);
    expect(await names("deep&dirs=false")).toEqual(["src/deep/new.md"]);
  });

  it("looks at every name before it lets go of the directory", async () => {
    const { id, directory } = await bench.workspace();
    const wanted = Array.from({ length: 60 }, (_, index) => `name-${index}`);
    for (const name of wanted) await writeFile(join(directory, name), "");
    const { body } = await bench.send<string[]>(`/find/file?query=name&limit=60&workspace=${id}`);
    expect(body.toSorted()).toEqual(wanted.toSorted());
  });

  it("says so where ripgrep was killed, and not that there is nothing", async () => {
    const killed = join(await bench.outside("killed"), "rg");
    await writeFile(killed, "#!/bin/sh\nkill -9 $$\n", { mode: 0o755 });
    const { directory } = await bench.workspace();
    const pass = { allows: () => true, require: async () => undefined, asker: { signal: AbortSignal.timeout(20_000) } };
    const base = { directory, home: "/nonexistent" };
    const context = { pass: pass as unknown as Pass, base, installRoot: "/nonexistent", umask: 0o022 };
    const names = new Search({ ripgrep: killed }).findFiles(context, { query: "" });
    await expect(names).rejects.toMatchObject({ code: "internal", message: "ripgrep was killed" });
  });
});
