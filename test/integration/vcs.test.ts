// Version control on the host: nothing of a repository is executed, nothing outside is shown.
import { existsSync } from "node:fs";
import { chmod, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { FileStatus, VcsFileDiff, VcsFileStatus, VcsInfo } from "../../protocol/vcs.js";
import { changedTree, gitTree } from "../fixtures/git-tree.js";
import { hasProgram } from "../fixtures/programs.js";
import { describe } from "../fixtures/with-compiler.js";
import { type Workbench, workbench } from "../fixtures/workbench.js";

let bench: Workbench;
beforeAll(async () => {
  bench = await workbench();
});
afterAll(() => bench[Symbol.asyncDispose]());

const PATHS = ["/vcs", "/vcs/status", "/vcs/diff?mode=git", "/vcs/diff?mode=branch", "/vcs/diff/raw", "/file/status"];

describe.skipIf(!hasProgram("git"))("/vcs (needs git)", () => {
  it("tells branch, status and patches of the workspace's directory", async () => {
    const { directory } = changedTree(await bench.outside("tree"));
    const { id: workspace } = await bench.workspace({ directory });
    expect((await bench.send<VcsInfo>("/vcs", { workspace })).body).toEqual({
      branch: "feature",
      default_branch: "main",
    });
    const status = (await bench.send<VcsFileStatus[]>("/vcs/status", { workspace })).body;
    expect(status).toContainEqual({ file: "untracked.txt", additions: 2, deletions: 0, status: "added" });
    expect(status).toContainEqual({ file: "renamed.txt", additions: 0, deletions: 30, status: "deleted" });
    const files = (await bench.send<FileStatus[]>("/file/status", { workspace })).body;
    expect(files).toContainEqual({ path: "deleted.txt", added: 0, removed: 30, status: "deleted" });
    const diff = (await bench.send<VcsFileDiff[]>("/vcs/diff?mode=git&context=1", { workspace })).body;
    expect(diff.find(({ file }) => file === "changed.txt")?.patch).toContain("+diff --git a/x b/x\n+--- a/fake\n");
    const raw = await bench.send<string>("/vcs/diff/raw", { workspace });
    expect(raw.headers.get("content-type")).toBe("text/x-diff; charset=utf-8");
    expect(raw.body).toContain("+++ b/untracked.txt");
    expect((await bench.send("/vcs/diff", { workspace })).status).toBe(400);
    expect((await bench.send("/vcs")).body).toMatchObject({ code: "workspace_required" });
  });

  it("changes nothing: the index stays as it is, byte for byte", async () => {
    const { directory } = changedTree(await bench.outside("index"));
    const { id: workspace } = await bench.workspace({ directory });
    const before = await readFile(join(directory, ".git/index"));
    for (const path of PATHS) expect((await bench.send(path, { workspace })).status).toBe(200);
    expect((await readFile(join(directory, ".git/index"))).equals(before)).toBe(true);
  });

  it("of a directory inside of a repository shows what is below it, with names from the top", async () => {
    const { directory } = changedTree(await bench.outside("inside"));
    const { id: workspace } = await bench.workspace({ directory: join(directory, "untracked") });
    const diff = (await bench.send<VcsFileDiff[]>("/vcs/diff?mode=git", { workspace })).body;
    expect(diff.map(({ file }) => file)).toEqual(["untracked/binary", "untracked/empty", "untracked/ü\n.txt"]);
    expect(diff[1]?.patch).toContain("diff --git a/untracked/empty b/untracked/empty\n");
    expect(diff[2]?.additions).toBe(1);
  });

  it("of a linked working tree asks for the repository behind it", async () => {
    const tree = gitTree(await bench.outside("main-tree"));
    tree.write("a", "a\n");
    tree.commit();
    const linked = join(await bench.outside("linked"), "tree");
    tree.git("worktree", "add", "-q", "-b", "other", linked);
    const { id: workspace } = await bench.workspace({ directory: linked });
    const refused = await bench.send<{ code: string; details: { path: string; permissionID: string } }>(
      "/vcs?onAsk=fail",
      {
        workspace,
      },
    );
    expect(refused).toMatchObject({ status: 403, body: { code: "permission_required" } });
    expect(refused.body.details.path).toBe(join(tree.directory, ".git/worktrees/tree"));
    const { id: both } = await bench.workspace({ directory: linked, readRoots: [join(tree.directory, ".git")] });
    expect((await bench.send("/vcs?onAsk=fail", { workspace: both })).body).toEqual({
      branch: "other",
      default_branch: "main",
    });
  });

  it("a file .git or core.worktree that leads elsewhere shows nothing of that", async () => {
    const secret = changedTree(await bench.outside("secret"));
    const directory = await bench.outside("pointer");
    await writeFile(join(directory, ".git"), `gitdir: ${secret.directory}/.git\n`);
    const { id: workspace } = await bench.workspace({ directory });
    for (const path of PATHS) {
      const { status, body } = await bench.send(`${path}${path.includes("?") ? "&" : "?"}onAsk=fail`, { workspace });
      expect([path, status, JSON.stringify(body).includes("line 3")]).toEqual([path, 403, false]);
    }
    const moved = gitTree(await bench.outside("moved"));
    moved.git("config", "core.worktree", secret.directory);
    const { id: other } = await bench.workspace({ directory: moved.directory });
    expect((await bench.send("/vcs/status", { workspace: other })).body).toEqual([]);
    const above = gitTree(await bench.outside("above"));
    above.git("config", "core.worktree", "/");
    above.write("own", "own");
    const { id: third } = await bench.workspace({ directory: above.directory });
    const seen = (await bench.send<VcsFileDiff[]>("/vcs/diff?mode=git", { workspace: third })).body;
    expect(seen.every(({ file }) => `/${file}`.startsWith(`${above.directory}/`))).toBe(true);
  });

  it("nothing that a repository's configuration names is executed", async () => {
    const tree = changedTree(await bench.outside("hostile"));
    const canary = join(await bench.outside("canary"), "touched");
    const program = join(await bench.outside("program"), "run");
    await writeFile(program, `#!/bin/sh\necho "$0 $*" >> ${canary}\ncat\n`);
    await chmod(program, 0o755);
    await mkdir(join(tree.directory, ".git/hooks"), { recursive: true });
    for (const hook of ["post-index-change", "fsmonitor-watchman", "post-checkout"])
      await symlink(program, join(tree.directory, ".git/hooks", hook));
    tree.write(".gitattributes", "* filter=evil diff=evil\nkept.txt filter=e.v-i.l\n");
    const settings = {
      "core.fsmonitor": program,
      "core.pager": program,
      "core.sshCommand": program,
      "core.askPass": program,
      "core.editor": program,
      "core.gitProxy": program,
      "core.hooksPath": join(tree.directory, ".git/hooks"),
      "diff.external": program,
      "diff.evil.command": program,
      "diff.evil.textconv": program,
      "filter.evil.clean": program,
      "filter.evil.process": program,
      "filter.evil.required": "true",
      "filter.e.v-i.l.clean": program,
      "credential.helper": program,
      "pager.diff": program,
      "pager.status": program,
      "gpg.program": program,
      "alias.status": `!${program}`,
      "alias.diff": `!${program}`,
      "interactive.diffFilter": program,
      "remote.origin.url": `ext::${program}`,
      "remote.origin.promisor": "true",
      "remote.origin.uploadpack": program,
      "extensions.partialClone": "origin",
      "core.repositoryFormatVersion": "1",
    };
    for (const [name, value] of Object.entries(settings)) tree.git("config", name, value);
    // What was changed a moment ago is read again, through the filters.
    tree.write("kept.txt", "changed\n");
    const { id: workspace } = await bench.workspace({ directory: tree.directory });
    for (const path of PATHS) {
      const { status } = await bench.send(path, { workspace });
      expect([path, status]).toEqual([path, 200]);
      expect([path, existsSync(canary) && (await readFile(canary, "utf8"))]).toEqual([path, false]);
    }
    // The control: git as it is runs them.
    try {
      tree.git("diff", "HEAD");
    } catch {
      // cat is no filter process
    }
    expect(existsSync(canary)).toBe(true);
  });

  it("a filter that no setting can name is refused, and a submodule is not entered", async () => {
    const tree = gitTree(await bench.outside("strange"));
    tree.write("a", "a");
    tree.commit();
    tree.git("config", "filter.a=b.clean", "touch /tmp/never");
    const { id: workspace } = await bench.workspace({ directory: tree.directory });
    expect((await bench.send("/vcs", { workspace })).body).toMatchObject({ code: "git_refused" });
    const canary = join(await bench.outside("canary"), "touched");
    const inner = gitTree(await bench.outside("inner"));
    inner.write("i", "1");
    inner.commit();
    const outer = gitTree(await bench.outside("outer"));
    outer.git("submodule", "add", "-q", inner.directory, "mod");
    outer.commit();
    const mod = gitTree(join(outer.directory, "mod"), { init: false });
    mod.git("config", "filter.evil.clean", `touch ${canary}; cat`);
    mod.write(".gitattributes", "* filter=evil\n");
    mod.write("i", "2");
    const { id: third } = await bench.workspace({ directory: outer.directory });
    for (const path of PATHS) expect((await bench.send(path, { workspace: third })).status).toBe(200);
    expect(existsSync(canary)).toBe(false);
    outer.git("status");
    expect(existsSync(canary)).toBe(true);
  });

  it("holds 10 MB of patches, and lists what is behind them with empty ones", async () => {
    const tree = gitTree(await bench.outside("large"));
    for (const name of ["a", "b", "c", "d"]) tree.write(name, "x\n");
    tree.commit();
    for (const name of ["a", "b", "c", "d"]) tree.write(name, "0123456789abcdef\n".repeat(250_000));
    tree.write("untracked", "y\n".repeat(6_000_000));
    const { id: workspace } = await bench.workspace({ directory: tree.directory });
    const { body } = await bench.send<VcsFileDiff[]>("/vcs/diff?mode=git", { workspace });
    expect(body.map(({ file, additions }) => [file, additions > 0])).toEqual([
      ["a", true],
      ["b", true],
      ["c", true],
      ["d", true],
      ["untracked", false],
    ]);
    expect(body.map(({ patch = "" }) => patch.length > 1000)).toEqual([true, true, false, false, false]);
    expect(body[4]?.patch).toBe(`Index: untracked\n${"=".repeat(67)}\n--- untracked\n+++ untracked\n`);
  });
});

describe.skipIf(!hasProgram("git"))("a host (needs git)", () => {
  it("without git says so", async () => {
    // A login shell that does not work leaves the stub's own PATH.
    const folder = await bench.outside("bin");
    for (const name of ["sh", "cat"]) await symlink(`/bin/${name}`, join(folder, name));
    await using bare = await workbench({ env: { PATH: folder, SHELL: "/nonexistent/shell" } });
    const tree = gitTree(await bare.outside("tree"));
    const { id: workspace } = await bare.workspace({ directory: tree.directory });
    expect((await bare.send("/vcs", { workspace })).body).toMatchObject({ code: "git_missing" });
  });

  it.skipIf(process.getuid?.() !== 0)("does not trust what another user owns", async () => {
    const tree = gitTree(await bench.outside("foreign"));
    const { execFileSync } = await import("node:child_process");
    execFileSync("chown", ["-R", "12345", tree.directory]);
    const { id: workspace } = await bench.workspace({ directory: tree.directory });
    expect((await bench.send("/vcs", { workspace })).body).toMatchObject({ code: "git_refused" });
  });
});
