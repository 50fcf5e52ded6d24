import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, realpath, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { isWithin } from "../../protocol/paths.js";
import { findAnchor, prepareAnchor } from "./anchor.js";
import { anchorPaths } from "./anchor-path.js";

const run = promisify(execFile);
let stateDir: string;

beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), "ocr-anchor-"));
});
afterEach(() => rm(stateDir, { recursive: true, force: true }));

const prepare = (options: Partial<Parameters<typeof prepareAnchor>[0]> = {}) =>
  prepareAnchor({
    stateDir,
    host: "prod",
    directory: "/srv/app",
    workspaceID: "wrk_0123456789abcdef",
    execPath: process.execPath,
    cliPath: "/nonexistent/cli.js",
    ...options,
  });

describe("an anchor", () => {
  it("reads as host and path, is private, and is found again", async () => {
    const { directory, record } = await prepare();
    expect(directory).toMatch(/anchors\/[0-9a-f]{8}\/prod\/srv\/app$/);
    expect((await stat(directory)).mode & 0o777).toBe(0o700);
    expect(await findAnchor(stateDir, directory)).toMatchObject({ kind: "bound", record });
    expect(await findAnchor(stateDir, join(directory, "deeper"))).toMatchObject({ kind: "bound", record });
  });

  it("keeps its workspace when it is made again, so that approvals and sessions stay", async () => {
    const first = await prepare();
    const again = await prepare({ workspaceID: "wrk_another0another0" });
    expect(again).toEqual(first);
  });

  it("is found through a symbolic link to it", async () => {
    const { directory } = await prepare();
    const link = join(stateDir, "link");
    await symlink(directory, link);
    expect((await findAnchor(stateDir, link)).kind).toBe("bound");
  });

  it("is broken, never outside, when its record is gone, damaged or of another kind", async () => {
    const { directory } = await prepare();
    const record = anchorPaths(stateDir, "prod", "/srv/app").record;
    for (const text of ["", "{", "{}", '{"host":1}']) {
      await writeFile(record, text);
      expect((await findAnchor(stateDir, directory)).kind).toBe("broken");
    }
    await rm(record);
    expect((await findAnchor(stateDir, directory)).kind).toBe("broken");
    expect((await findAnchor(stateDir, join(stateDir, "anchors"))).kind).toBe("broken");
  });

  it("is not seen where there is none", async () => {
    expect(await findAnchor(stateDir, tmpdir())).toEqual({ kind: "outside" });
    await mkdir(join(stateDir, "anchors-beside"));
    expect(await findAnchor(stateDir, join(stateDir, "anchors-beside"))).toEqual({ kind: "outside" });
  });

  it("cannot be led out of its place by a name of a host or a path", async () => {
    for (const [host, directory] of [
      ["../../../etc", "/srv"],
      ["..", "/../../.."],
      ["a/b", "/x/../../y"],
      ["h\u0000\u001b[2J", "/a\nb/\u0007"],
      [".git", "/.opencode/plugin"],
      ["h", `/${"x".repeat(5000)}`],
    ] as const) {
      const paths = anchorPaths(stateDir, host, directory);
      expect(isWithin(paths.directory, paths.root)).toBe(true);
      expect(paths.directory).not.toBe(paths.root);
      expect(paths.directory).not.toMatch(/\/\.(git|opencode)(\/|$)/);
      await mkdir(paths.directory, { recursive: true });
    }
    expect(await readdir(stateDir)).toEqual(["anchors"]);
  });

  it("joins the owning project as a repository that git accepts", async () => {
    const { directory } = await prepare({ projectID: "a87eb690f1a72c636ea98f64cd84ecbb3519d8a7" });
    const { stdout } = await run("git", ["-C", directory, "rev-parse", "--show-toplevel"]);
    expect(stdout.trim()).toBe(await realpath(directory));
    expect(await readFile(join(directory, ".git", "opencode"), "utf8")).toBe(
      "a87eb690f1a72c636ea98f64cd84ecbb3519d8a7",
    );
  });

  it("configures the shell and turns off what would run on the laptop", async () => {
    const { directory } = await prepare();
    const config = JSON.parse(await readFile(join(directory, "opencode.json"), "utf8"));
    expect(config).toMatchObject({ snapshot: false, formatter: false, lsp: false });
    expect(config.shell).toMatch(/remote-shell$/);
  });
});

describe("the anchor's shell", () => {
  /** A stand-in for our CLI that prints its arguments. */
  async function shell(host = "prod"): Promise<string> {
    const cliPath = join(stateDir, "cli 'quoted'.cjs");
    await writeFile(cliPath, "console.log(JSON.stringify(process.argv.slice(2))); process.exit(7);");
    const { directory } = await prepare({ host, cliPath });
    const config = JSON.parse(await readFile(join(directory, "opencode.json"), "utf8"));
    return config.shell;
  }

  it("hands the text on as one word, whatever is in it, and gives back the exit status", async () => {
    const path = await shell("it's $(touch /tmp/ocr-evil)");
    for (const args of [["-c"], ["-l", "-c"], ["-lc"]]) {
      const text = "echo \"$HOME\" '$(touch x)' `id`\nsecond line \\";
      const result = await run(path, [...args, text]).catch((error: unknown) => error);
      const { stdout, code } = result as { stdout: string; code: number };
      expect(JSON.parse(stdout)).toEqual(["anchor-shell", expect.stringMatching(/anchor\.json$/), "-c", text]);
      expect(code).toBe(7);
    }
  });

  it("refuses a terminal with a message and starts nothing", async () => {
    const result = await run(await shell(), []).catch((error: unknown) => error);
    expect(result).toMatchObject({ code: 1, stdout: "", stderr: expect.stringContaining("Terminals on prod") });
  });

  it("runs nothing when our program or the record is gone", async () => {
    const path = await shell();
    await rm(join(stateDir, "cli 'quoted'.cjs"));
    const canary = join(stateDir, "canary");
    const result = await run(path, ["-c", `touch ${canary}`]).catch((error: unknown) => error);
    expect(result).toMatchObject({ code: 255, stderr: expect.stringContaining("nothing was run") });
    await expect(stat(canary)).rejects.toThrow("ENOENT");
  });
});
