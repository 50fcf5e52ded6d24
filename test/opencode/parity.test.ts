// What the built-in tools of the real binary do, and what ours do, side by side: schemas, texts, metadata, and every way
// in which edit finds what is meant. The reference here is OpenCode itself, so an update that changes it is noticed.
import { mkdir, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { rgPath } from "@vscode/ripgrep";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { replaceText } from "../../plugin/opencode-v1/edit/replace.js";
import type { FileNode } from "../../protocol/file.js";
import type { TextMatch } from "../../protocol/search.js";
import type { FileContext } from "../../stub/files/access.js";
import { list } from "../../stub/files/list.js";
import type { Pass } from "../../stub/permission/gate.js";
import { Search } from "../../stub/search/search.js";
import { EDIT_CASES } from "./fixtures/edit-cases.js";
import type { OfferedTool, ToolCall } from "./fixtures/model-server.js";
import { crowd, searchTree } from "./fixtures/search-tree.js";
import { converse, type MessagePart, type Said, startWorld, type World, withoutLevel } from "./fixtures/world.js";

// the machine may be busy with other tests
vi.setConfig({ testTimeout: 120_000 });

let world: World;

beforeAll(async () => {
  // the built-in glob and grep find ripgrep on the PATH
  world = await startWorld({ env: { PATH: `${dirname(rgPath)}:${process.env.PATH}` } });
}, 180_000);
afterAll(() => world?.stop(), 60_000);

/** A fresh tree with the same names, sizes and times each time it is made. */
async function tree(path: string): Promise<void> {
  for (const name of await readdir(path)) await rm(join(path, name), { recursive: true, force: true });
  await mkdir(join(path, "sub"), { recursive: true });
  await writeFile(join(path, "a.txt"), "one\ntwo\nthree\n");
  await writeFile(join(path, "long.txt"), `${"z".repeat(2500)}\nlast`);
  await writeFile(join(path, "many.txt"), Array.from({ length: 2500 }, (_, index) => `row ${index}\n`).join(""));
  await writeFile(join(path, "wide.txt"), `${"w".repeat(1900)}\n`.repeat(40));
  await writeFile(join(path, "bom.txt"), "\ufefffirst\r\nsecond\r\n");
  await writeFile(join(path, "empty.txt"), "");
  await writeFile(join(path, "binary.dat"), Buffer.from([1, 0, 2, 3]));
  await writeFile(join(path, "sub", "deep.ts"), "export const two = 2;\n");
  for (const [index, name] of [
    "a.txt",
    "long.txt",
    "many.txt",
    "wide.txt",
    "bom.txt",
    "empty.txt",
    "sub/deep.ts",
  ].entries()) {
    await utimes(join(path, name), 1_700_000_000 + index * 60, 1_700_000_000 + index * 60);
  }
}

/** The same calls with the built-in tools and with ours, on the same tree at the same path. */
async function both(calls: (path: string) => ToolCall[]): Promise<{ builtIn: Said; ours: Said }> {
  const path = world.work;
  await tree(path);
  const local = await converse(world.opencode, world.model, path);
  const builtIn = await local.say("go", [{ calls: calls(path) }]);
  await tree(path);
  const remote = await world.conversation();
  const ours = await remote.say("go", [{ calls: calls(path) }]);
  return { builtIn, ours };
}

/** A tool part without what only ours says (which host, which command) and without what depends on the run. */
function shape(part: MessagePart): unknown {
  const { status, input, output, error, metadata } = part.state ?? {};
  const { host: _host, commandID: _commandID, enforcement: _enforcement, ...rest } = metadata ?? {};
  const display = rest.display as { truncated?: boolean; totalLines?: number } | undefined;
  // Where it stops at 50 KB the built-in also stops counting; a host counts on.
  if (part.tool === "read" && output?.includes("(Output capped at")) delete display?.totalLines;
  // The built-in grep leaves each line's own end in, so that a blank line follows every match.
  const text = part.tool === "grep" ? output?.replace(/\n+/g, "\n").trimEnd() : output;
  return {
    tool: part.tool,
    status,
    input,
    output: text === undefined ? text : withoutLevel(text),
    error,
    metadata: rest,
  };
}

interface Found {
  status?: string;
  lines: string[];
  error?: string;
  count: unknown;
  matches: unknown;
  truncated: unknown;
}

/** What a search found, without the order that ripgrep's threads give it. */
function found(part: MessagePart): Found {
  const { status, output = "", error, metadata } = part.state ?? {};
  let path = "";
  const lines = output
    .split(/\r?\n/)
    .filter((line) => line !== "")
    .map((line) => {
      if (line.startsWith("/") && line.endsWith(":")) path = line;
      return line.startsWith("  Line ") ? `${path}${line}` : line;
    });
  const { count, matches, truncated } = metadata ?? {};
  return { status, lines: lines.sort(), error, count, matches, truncated };
}

describe("our tools beside the built-in ones", () => {
  it("offer the same tools with the same schemas and words, changed only where they spoke of the laptop", async () => {
    const { builtIn, ours } = await both(() => []);
    const [offered, replaced] = [builtIn, ours].map((said) => said.requests[0]?.tools ?? []) as [
      OfferedTool[],
      OfferedTool[],
    ];
    expect(replaced.map((tool) => tool.function.name)).toEqual(offered.map((tool) => tool.function.name));
    for (const [index, tool] of offered.entries()) {
      const other = replaced[index] as OfferedTool;
      const parameters = structuredClone(tool.function.parameters);
      const timeout = (parameters.properties as Record<string, { minimum?: number }>).timeout;
      const own = structuredClone(other.function.parameters);
      if (tool.function.name === "bash" && timeout) {
        delete timeout.minimum;
        expect(own.properties).toHaveProperty("unconfined"); // there is nothing like it on the laptop
        delete (own.properties as Record<string, unknown>).unconfined;
      }
      expect(own).toEqual(parameters);
      const words = tool.function.description.split("\n");
      const changed = other.function.description.split("\n").filter((line, at) => line !== words[at]);
      expect(changed).toEqual(CHANGED_WORDS[tool.function.name] ?? []);
    }
  });

  it("read, list and miss files with the same text and metadata", async () => {
    const { builtIn, ours } = await both((path) =>
      [
        { filePath: join(path, "a.txt") },
        { filePath: "a.txt" },
        { filePath: join(path, "a.txt"), offset: 2, limit: 1 },
        { filePath: join(path, "a.txt"), offset: 9 },
        { filePath: join(path, "many.txt") },
        { filePath: join(path, "many.txt"), offset: 2400 },
        { filePath: join(path, "wide.txt") },
        { filePath: join(path, "long.txt") },
        { filePath: join(path, "empty.txt") },
        { filePath: join(path, "binary.dat") },
        { filePath: path },
        { filePath: join(path, "sub"), offset: 1, limit: 1 },
        { filePath: join(path, "A.tx") },
        { filePath: join(path, "nothing-like-it") },
      ].map((args) => ({ name: "read", arguments: args })),
    );
    for (const [index, part] of builtIn.tools.entries()) {
      expect(shape(ours.tools[index] as MessagePart)).toEqual(shape(part));
    }
    expect(ours.answers).toEqual(builtIn.answers);
  });

  it("glob and grep with the same text and metadata", async () => {
    const { builtIn, ours } = await both((path) => [
      { name: "glob", arguments: { pattern: "**/deep.*" } },
      { name: "glob", arguments: { pattern: "*.none" } },
      { name: "glob", arguments: { pattern: "*", path: join(path, "a.txt") } },
      { name: "grep", arguments: { pattern: "two", include: "*.ts" } },
      { name: "grep", arguments: { pattern: "^three$", path: join(path, "a.txt") } },
      { name: "grep", arguments: { pattern: "row \\d" } },
      { name: "grep", arguments: { pattern: "nowhere" } },
    ]);
    for (const [index, part] of builtIn.tools.entries()) {
      expect(shape(ours.tools[index] as MessagePart)).toEqual(shape(part));
    }
  });

  it("search the same tree with the same results: hidden, ignored, linked, binary, long, braces, paths, bad patterns", async () => {
    const path = world.work;
    const calls: ToolCall[] = [
      ...["**/*.ts", "*", "*.ts", "**/*.{ts,md}", "sub/**", ".hid/*", "**/*.log", "*.none", "with *"].map(
        (pattern) => ({
          name: "glob",
          arguments: { pattern },
        }),
      ),
      { name: "glob", arguments: { pattern: "*.ts", path: join(path, "sub") } },
      { name: "glob", arguments: { pattern: "*.ts", path: "sub" } },
      { name: "grep", arguments: { pattern: "needle" } },
      { name: "grep", arguments: { pattern: "needle", include: "*.{ts,log}" } },
      { name: "grep", arguments: { pattern: "needle", include: "sub/**" } },
      { name: "grep", arguments: { pattern: "needle", path: join(path, "sub") } },
      { name: "grep", arguments: { pattern: "needle", path: "sub/deep" } },
      { name: "grep", arguments: { pattern: "n(e+)dle (one|crlf)$" } },
      { name: "grep", arguments: { pattern: "--files" } },
      { name: "grep", arguments: { pattern: "nowhere" } },
    ];
    const wrong = { name: "grep", arguments: { pattern: "(" } };
    const crowded: ToolCall[] = [
      { name: "glob", arguments: { pattern: "*.many" } },
      { name: "grep", arguments: { pattern: "crowd \\d+" } },
    ];
    await searchTree(path);
    const local = await converse(world.opencode, world.model, path);
    const remote = await world.conversation();
    const builtIn = await local.say("go", [{ calls: [...calls, wrong] }]);
    const ours = await remote.say("go", [{ calls: [...calls, wrong] }]);
    for (const [index, call] of calls.entries()) {
      const [theirs, mine] = [builtIn, ours].map((said) => found(said.tools[index] as MessagePart));
      expect({ call, ...mine }).toEqual({ call, ...theirs });
    }
    // What ripgrep says of the pattern is in both.
    expect(ours.tools.at(-1)?.state?.error).toContain(String(builtIn.tools.at(-1)?.state?.error));
    await crowd(path);
    const [theirs, mine] = [await local.say("go", [{ calls: crowded }]), await remote.say("go", [{ calls: crowded }])];
    for (const [index, { name }] of crowded.entries()) {
      const [them, us] = [theirs, mine].map((said) => found(said.tools[index] as MessagePart)) as [Found, Found];
      expect({ ...us, lines: us.lines.length }).toEqual({ ...them, lines: them.lines.length });
      const shown = (lines: string[]) => lines.filter((line) => /f\d+\.many/.test(line)).length;
      expect([name, shown(us.lines)]).toEqual([name, shown(them.lines)]);
      const rest = (lines: string[]) => lines.filter((line) => !/f\d+\.many/.test(line));
      expect(rest(us.lines)).toEqual(rest(them.lines));
    }
  });

  it("search a single file where the built-in searches all that lies beside it", async () => {
    await searchTree(world.work);
    const calls = [{ name: "grep", arguments: { pattern: "needle", path: join(world.work, "a.ts") } }];
    const local = await converse(world.opencode, world.model, world.work);
    const [theirs] = (await local.say("go", [{ calls }])).answers;
    const [mine] = (await (await world.conversation()).say("go", [{ calls }])).answers;
    expect(mine?.match(/^\/.*:$/gm)).toEqual([`${join(world.work, "a.ts")}:`]);
    expect(theirs?.match(/^\/.*:$/gm)?.length).toBeGreaterThan(1);
  });

  it("answer OpenCode's own GET /file and /find as it does", async () => {
    // A directory that OpenCode sees for the first time, and as a repository: only there does it read rules.
    const path = join(world.work, "panel");
    await mkdir(path);
    await searchTree(path);
    const pass = { allows: () => true, require: async () => undefined, asker: { signal: AbortSignal.timeout(60_000) } };
    const base = { directory: path, home: "/nonexistent" };
    const context: FileContext = { pass: pass as unknown as Pass, base, installRoot: "/nonexistent", umask: 0o022 };
    const get = <T>(what: string) => world.opencode.request<T>("GET", what, undefined, { directory: path });
    for (const directory of [".", "sub", "dist"]) {
      const theirs = await get<FileNode[]>(`/file?path=${directory}`);
      const ours = (await list(context, directory)).filter(({ type }) => type === "file" || type === "directory");
      // Rules of a nested .gitignore are git's and ripgrep's, but not this panel's; what lies in an ignored directory is both.
      const plain = (nodes: FileNode[]) =>
        nodes.map((node) => (node.name === "inner.tmp" ? { ...node, ignored: true } : node));
      expect(ours).toEqual(plain(theirs));
    }
    const byPath = (matches: TextMatch[]) => matches.sort((a, b) => (a.path.text < b.path.text ? -1 : 1));
    const search = new Search({ ripgrep: rgPath });
    const pattern = "needle (one|crlf)";
    const theirs = await get<TextMatch[]>(`/find?pattern=${encodeURIComponent(pattern)}`);
    expect(byPath(await search.find(context, { pattern }))).toEqual(byPath(theirs));
    expect(await get("/find/symbol?query=x")).toEqual([]);
  });

  it("run commands with the same text and metadata", async () => {
    const { builtIn, ours } = await both((path) => [
      { name: "bash", arguments: { command: "echo out; pwd" } },
      { name: "bash", arguments: { command: "exit 3" } },
      { name: "bash", arguments: { command: "pwd", workdir: join(path, "sub") } },
      { name: "bash", arguments: { command: "printf 'x'; sleep 5", timeout: 300 } },
    ]);
    for (const [index, part] of builtIn.tools.entries()) {
      expect(shape(ours.tools[index] as MessagePart)).toEqual(shape(part));
    }
  });

  it("write and edit with the same text, diffs and metadata", async () => {
    const { builtIn, ours } = await both((path) => [
      { name: "write", arguments: { filePath: join(path, "new", "deep.txt"), content: "hello\n" } },
      { name: "write", arguments: { filePath: join(path, "a.txt"), content: "one\n2\nthree\n" } },
      { name: "edit", arguments: { filePath: join(path, "bom.txt"), oldString: "first\nsecond", newString: "1\n2" } },
      { name: "edit", arguments: { filePath: join(path, "missing.txt"), oldString: "a", newString: "b" } },
      { name: "edit", arguments: { filePath: join(path, "made.txt"), oldString: "", newString: "new\n" } },
      { name: "edit", arguments: { filePath: path, oldString: "a", newString: "b" } },
    ]);
    for (const [index, part] of builtIn.tools.entries()) {
      expect(shape(ours.tools[index] as MessagePart)).toEqual(shape(part));
    }
    expect(await readFile(join(world.work, "bom.txt"), "utf8")).toBe("\ufeff1\r\n2\r\n");
  });

  it("find what an edit means wherever the built-in does, and refuse where it refuses", async () => {
    const path = join(world.work, "edits");
    await mkdir(path);
    for (const [index, { content }] of EDIT_CASES.entries()) await writeFile(join(path, `${index}.txt`), content);
    const local = await converse(world.opencode, world.model, path);
    const said = await local.say("go", [
      {
        calls: EDIT_CASES.map(({ oldString, newString, replaceAll }, index) => ({
          name: "edit",
          arguments: { filePath: join(path, `${index}.txt`), oldString, newString, replaceAll },
        })),
      },
    ]);
    for (const [index, edit] of EDIT_CASES.entries()) {
      const builtIn = said.tools[index]?.state?.error ?? (await readFile(join(path, `${index}.txt`), "utf8"));
      let ours: string;
      try {
        ours = replaceText(edit.content, edit.oldString, edit.newString, edit.replaceAll);
      } catch (error) {
        ours = (error as Error).message;
      }
      expect({ case: index, result: ours }).toEqual({ case: index, result: builtIn });
    }
  });
});

const CHANGED_WORDS: Record<string, string[]> = {
  bash: [
    "Be aware: OS: linux, Shell: bash (sh where the host has no bash)",
    "Keep temporary work inside the workspace: other directories of the host are asked for.",
  ],
  read: ["Read a file or directory from the host's filesystem. If the path does not exist, an error is returned."],
  write: ["Writes a file to the host's filesystem."],
};
