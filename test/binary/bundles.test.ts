// dist/plugin.js and dist/cli.js: each runs alone, away from node_modules, where users run it.
import { copyFile, readFile, symlink, writeFile } from "node:fs/promises";
import { isBuiltin } from "node:module";
import { join } from "node:path";
import { parseSync } from "oxc-parser";
import { describe, expect, it } from "vitest";
import { checkout } from "./fixtures/one-files.js";
import { run, scratch } from "./fixtures/run.js";

const dist = join(checkout, "dist");
// OpenCode's binary is Bun, with OpenCode inside; so asked, it is Bun only.
const bun = join(checkout, "node_modules/opencode-linux-x64/bin/opencode");

async function alone(): Promise<AsyncDisposable & { path: string }> {
  const directory = await scratch();
  await writeFile(join(directory.path, "package.json"), JSON.stringify({ type: "module" }));
  await copyFile(join(dist, "plugin.js"), join(directory.path, "plugin.js"));
  const text = 'const plugin = await import("./plugin.js"); console.log(typeof plugin.default);';
  await writeFile(join(directory.path, "load.js"), text);
  return directory;
}

describe("the plugin in one file", () => {
  it.each(["plugin.js", "cli.js"])("%s imports nothing but what every runtime has", async (name) => {
    const { module } = parseSync(name, await readFile(join(dist, name), "utf8"));
    const imported = module.staticImports.map((each) => each.moduleRequest.value);
    expect(imported.length).toBeGreaterThan(0);
    expect(imported.filter((specifier) => !isBuiltin(specifier))).toEqual([]);
  });

  it("loads in Node", async () => {
    await using directory = await alone();
    const result = await run(process.execPath, ["load.js"], { cwd: directory.path });
    expect(result).toMatchObject({ code: 0, stderr: "" });
    expect(result.stdout).not.toBe("undefined\n");
  });

  it("loads in the Bun that OpenCode is", async () => {
    await using directory = await alone();
    const env = { PATH: "/usr/bin:/bin", HOME: directory.path, BUN_BE_BUN: "1" };
    const result = await run(bun, ["load.js"], { cwd: directory.path, env });
    expect(result).toMatchObject({ code: 0, stderr: "" });
    expect(result.stdout).not.toBe("undefined\n");
  });

  it("the command runs by the name that npm gives it: a link to an executable file", async () => {
    await using directory = await scratch();
    await symlink(join(dist, "cli.js"), join(directory.path, "opencode-remote-ssh"));
    const env = { PATH: `${join(process.execPath, "..")}:/usr/bin:/bin`, HOME: directory.path };
    const result = await run(join(directory.path, "opencode-remote-ssh"), ["--help"], { env });
    expect(result).toMatchObject({ code: 0, stderr: "", stdout: expect.stringContaining("opencode-remote-ssh") });
  });
});
