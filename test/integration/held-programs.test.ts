// git and ripgrep, which the stub itself starts in a repository that nobody vouches for: whatever its configuration and its links
// name, they are held to what is approved, as commands are. Each has its control: a workspace whose user turned it off.
import { once } from "node:events";
import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readFile, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rgPath } from "@vscode/ripgrep";
import { expect, it } from "vitest";
import { newID } from "../../protocol/ids.js";
import { identityOf } from "../../stub/confinement/entries.js";
import type { HeldProgram } from "../../stub/confinement/program.js";
import { startProgram } from "../../stub/confinement/program.js";
import { searchPolicy } from "../../stub/search/reach.js";
import { gitTree } from "../fixtures/git-tree.js";
import { gitPolicy } from "../fixtures/held-policy.js";
import { helperBinary } from "../fixtures/helper-binary.js";
import { hasProgram } from "../fixtures/programs.js";
import { describe } from "../fixtures/with-compiler.js";
import { type Workbench, workbench } from "../fixtures/workbench.js";

const LEVELS = ["landlock", "mount", "guard"] as const;

/** In a workspace that is held, and in one that is not. */
async function both(bench: Workbench, directory: string, path: string, body?: unknown) {
  const answers: string[] = [];
  for (const enforcement of ["best", "off"]) {
    const workspace = newID("wrk");
    const wish = { id: workspace, type: "t", directory, enforcement };
    const made = await bench.send("/experimental/workspace", { body: wish, approver: bench.approver });
    expect(made.status).toBe(200);
    const answer = await bench.send(path, { workspace, body });
    expect(answer.status).toBe(200);
    answers.push(JSON.stringify(answer.body));
  }
  return { held: answers[0] as string, control: answers[1] as string };
}

describe.skipIf(!hasProgram("git")).each(LEVELS)("git and ripgrep of the stub at level %s", (level) => {
  it("reach nothing outside, whatever a repository names", async () => {
    await using bench = await workbench({ args: ["--level", level] });
    const outside = await bench.outside("outside");

    const secret = gitTree(join(outside, "repository"));
    secret.write("f", "SECRET\n");
    secret.commit();
    const objects = join(secret.directory, ".git/objects");
    const head = secret.git("rev-parse", "HEAD").trim();
    for (const lead of ["alternates", "link"]) {
      const tree = gitTree(await bench.outside(lead));
      if (lead === "alternates") tree.write(".git/objects/info/alternates", `${objects}\n`);
      else {
        await rm(join(tree.directory, ".git/objects"), { recursive: true });
        await symlink(objects, join(tree.directory, ".git/objects"));
      }
      tree.write(".git/refs/heads/main", `${head}\n`);
      tree.git("read-tree", "HEAD");
      tree.write("f", "own\n");
      for (const path of ["/vcs/diff?mode=git", "/vcs/diff/raw"]) {
        const { held, control } = await both(bench, tree.directory, path);
        expect([lead, path, control.includes("SECRET")]).toEqual([lead, path, true]);
        expect([lead, path, held.includes("SECRET")]).toEqual([lead, path, false]);
      }
    }

    const tree = gitTree(await bench.outside("names"));
    tree.write("f", "a\n");
    tree.commit();
    tree.write("f", "b\n");
    tree.write("told", "found\n");
    const list = join(outside, "list");
    await writeFile(list, "told\n");
    const exclude = join(tree.directory, ".git/info/exclude");
    await rm(exclude, { force: true });
    await mkdir(join(tree.directory, ".git/info"), { recursive: true });
    await symlink(list, exclude);
    const status = await both(bench, tree.directory, "/vcs/status");
    expect([status.control.includes('"f"'), status.control.includes("told")]).toEqual([true, false]);
    expect(status.held).not.toBe(status.control); // git gives up, or does not see the list
    await rm(exclude);
    await symlink(list, join(tree.directory, ".ignore"));
    const searched = await both(bench, tree.directory, "/grep", { pattern: "found", path: tree.directory });
    expect([searched.held.includes("told"), searched.control.includes("told")]).toEqual([true, false]);
    await rm(join(tree.directory, ".ignore"));

    await writeFile(join(outside, "included"), "[diff]\n\tnoprefix = true\n");
    tree.git("config", "include.path", join(outside, "included"));
    const included = await both(bench, tree.directory, "/vcs/diff/raw");
    expect(included.control).toContain("+++ f");
    expect(included.held).not.toContain("+++ f");
  });

  it("start no program that gets outside, even where none of the stub's own settings forbids it", async () => {
    const folder = await realpath(await mkdtemp(join(tmpdir(), "ocrs-held-")));
    try {
      const project = join(folder, "project");
      const secret = join(folder, "secret");
      const touched = join(folder, "touched");
      await mkdir(secret);
      await writeFile(join(secret, "f"), "SECRET\n");
      const tree = gitTree(project);
      const program = join(project, "program");
      await writeFile(program, `#!/bin/sh\ncat ${secret}/f\necho > ${touched}\n`);
      await chmod(program, 0o755);
      tree.write(".gitattributes", "f diff=evil\n");
      tree.write("f", "one\n");
      tree.commit();
      tree.write("f", "two\n");
      tree.git("config", "diff.evil.textconv", program);
      tree.git("config", "core.fsmonitor", program);
      await symlink(secret, join(project, "led"));

      const ofGit = gitPolicy(project);
      const identity = identityOf(project, true) as string;
      const ofSearch = searchPolicy({
        ripgrep: await realpath(rgPath),
        approved: project,
        kind: "directory",
        identity,
      });
      const helper = await helperBinary();
      const run = async (policy: Buffer | undefined, file: string, ...args: string[]) => {
        const held: HeldProgram | undefined = policy && { helper, level, policy };
        const env = { PATH: "/usr/bin:/bin", HOME: "/nonexistent", GIT_CONFIG_NOSYSTEM: "1" };
        const child = startProgram(held, { file, args, directory: { path: project, real: project }, env });
        let output = "";
        for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += chunk));
        await once(child, "close");
        const reached = output.includes("SECRET") || existsSync(touched);
        await rm(touched, { force: true });
        return { reached, output };
      };
      const ways: [policy: Buffer, file: string, ...args: string[]][] = [
        [ofGit, "git", "diff"],
        [ofGit, "git", "status"],
        [ofGit, "git", "diff", "--no-index", "/dev/null", join(secret, "f")],
        [ofSearch, rgPath, "--no-config", "--pre", program, "SECRET|one|two", "."],
        [ofSearch, rgPath, "--no-config", "--follow", "SECRET|two", "."],
        [ofSearch, rgPath, "--no-config", "SECRET|two", ".", secret],
      ];
      for (const [policy, ...program] of ways) {
        expect([program, (await run(undefined, ...program)).reached]).toEqual([program, true]);
        expect([program, (await run(policy, ...program)).reached]).toEqual([program, false]);
      }
      // It is not that nothing runs.
      expect((await run(ofGit, "git", "diff", "--no-textconv")).output).toContain("+two");
      expect((await run(ofSearch, rgPath, "--no-config", "--follow", "SECRET|two", ".")).output).toContain("two");
      expect(await readFile(join(secret, "f"), "utf8")).toBe("SECRET\n");
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
