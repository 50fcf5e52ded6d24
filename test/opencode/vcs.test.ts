// Version control: the real OpenCode's answers and the stub's, on the same trees.
import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { changedTree, gitTree } from "../fixtures/git-tree.js";
import { describe } from "../fixtures/with-compiler.js";
import { type Workbench, workbench } from "../fixtures/workbench.js";
import { type Opencode, startOpencode } from "./fixtures/opencode.js";

vi.setConfig({ testTimeout: 120_000 });

let opencode: Opencode;
let bench: Workbench;
let base: string;
beforeAll(async () => {
  base = await realpath(await mkdtemp(join(tmpdir(), "ocrs-vcs-")));
  [opencode, bench] = await Promise.all([startOpencode({ modelURL: "http://127.0.0.1:9/v1" }), workbench()]);
}, 120_000);
afterAll(async () => {
  await opencode?.stop();
  await bench?.[Symbol.asyncDispose]();
  await rm(base, { recursive: true, force: true });
});

const PATHS = [
  "/vcs",
  "/vcs/status",
  "/vcs/diff?mode=git",
  "/vcs/diff?mode=git&context=3",
  "/vcs/diff?mode=git&context=0",
  "/vcs/diff?mode=branch",
];

async function expectSame(directory: string): Promise<Record<string, unknown>> {
  const { id } = await bench.workspace({ directory });
  const ours: Record<string, unknown> = {};
  for (const path of PATHS) {
    const answer = await bench.send(path, { workspace: id });
    const theirs = await opencode.request("GET", path, undefined, { directory });
    expect({ path, body: answer.body }).toEqual({ path, body: theirs });
    ours[path] = answer.body;
  }
  return ours;
}

describe("the stub tells of a tree what OpenCode tells", () => {
  it("with changes of every kind and names of every kind", async () => {
    const { directory } = changedTree(join(base, "changed"));
    const answers = await expectSame(directory);
    expect(answers["/vcs"]).toEqual({ branch: "feature", default_branch: "main" });
    const files = (answers["/vcs/status"] as { file: string }[]).map(({ file }) => file);
    expect(files).toContain("with\nnewline.txt");
    expect(files).toContain("sub/deep ä.txt");
    expect(files).toContain("renamed.txt");
    expect(files).not.toContain("on-branch.txt");
    const branch = answers["/vcs/diff?mode=branch"] as { file: string }[];
    expect(branch.map(({ file }) => file)).toContain("on-branch.txt");
  });

  it("before the first commit", async () => {
    const tree = gitTree(join(base, "unborn"));
    tree.write("a.txt", "a\n");
    tree.write("b.txt", "b\n");
    tree.git("add", "b.txt");
    expect((await expectSame(tree.directory))["/vcs"]).toEqual({ branch: "main", default_branch: null });
  });

  it("with a detached HEAD, and on the default branch", async () => {
    const tree = gitTree(join(base, "detached"));
    tree.write("a.txt", "a\n");
    tree.commit();
    tree.write("a.txt", "b\n");
    tree.commit();
    tree.git("checkout", "-q", "--detach", "HEAD^");
    tree.write("a.txt", "c\n");
    expect((await expectSame(tree.directory))["/vcs"]).toEqual({ branch: null, default_branch: "main" });
    const clone = join(base, "clone");
    tree.git("clone", "-q", "-o", "upstream", tree.directory, clone);
    await expectSame(clone);
    const other = gitTree(join(base, "master"));
    other.git("checkout", "-q", "-b", "master");
    other.write("a", "a");
    other.commit();
    expect((await expectSame(other.directory))["/vcs"]).toEqual({ branch: "master", default_branch: "master" });
  });

  it("in a conflict, and where a submodule moved on", async () => {
    const tree = gitTree(join(base, "conflict"));
    tree.write("a.txt", "a\n");
    tree.commit();
    tree.git("checkout", "-q", "-b", "side");
    tree.write("a.txt", "side\n");
    tree.commit();
    tree.git("checkout", "-q", "main");
    tree.write("a.txt", "main\n");
    tree.commit();
    try {
      tree.git("merge", "side");
    } catch {
      // the conflict is wanted
    }
    await expectSame(tree.directory);
    const inner = gitTree(join(base, "inner"));
    inner.write("i", "1");
    inner.commit();
    const outer = gitTree(join(base, "outer"));
    outer.git("submodule", "add", "-q", inner.directory, "mod");
    outer.commit();
    const mod = gitTree(join(outer.directory, "mod"), { init: false });
    mod.write("i", "2");
    mod.commit();
    await expectSame(outer.directory);
  });

  it("in a directory that is in no repository", async () => {
    const directory = await mkdtemp(join(base, "none-"));
    const answers = await expectSame(directory);
    expect(Object.values(answers)).toEqual([{ branch: null, default_branch: null }, [], [], [], [], []]);
  });
});
