import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openCodeDirectory, readPluginOptions } from "./plugin-options.js";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "ocr-options-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const write = (name: string, text: string) => writeFile(join(directory, name), text);

it("finds the options in a file with comments and trailing commas", async () => {
  await write(
    "opencode.jsonc",
    `{
      // my plugins
      "plugin": ["other", ["opencode-remote-ssh", { "installRoot": "~/x" }],],
    }`,
  );
  expect(readPluginOptions(directory)).toEqual({
    file: join(directory, "opencode.jsonc"),
    index: 1,
    options: { installRoot: "~/x" },
  });
});

it("knows the plugin by name, by name and version, and by a path into its package", async () => {
  const package_ = join(directory, "checkout");
  await mkdir(join(package_, "dist"), { recursive: true });
  await writeFile(join(package_, "package.json"), '{"name": "opencode-remote-ssh"}');
  const specs = [
    "opencode-remote-ssh",
    "opencode-remote-ssh@0.1.0",
    pathToFileURL(package_).href,
    pathToFileURL(join(package_, "dist/plugin.js")).href,
    "./checkout",
  ];
  for (const spec of specs) {
    await write("opencode.json", JSON.stringify({ plugin: [[spec, { installRoot: spec }]] }));
    expect(readPluginOptions(directory)?.options).toEqual({ installRoot: spec });
  }
  await writeFile(join(package_, "package.json"), '{"name": "another"}');
  expect(readPluginOptions(directory)).toBeUndefined();
});

it("knows the plugin by the package that npm pack makes, as `opencode plugin file:…` writes it", async () => {
  for (const spec of ["file:/tmp/opencode-remote-ssh-0.1.0.tgz", "file:./opencode-remote-ssh-1.2.3.tgz"]) {
    await write("opencode.jsonc", JSON.stringify({ plugin: [[spec, { installRoot: spec }]] }));
    expect(readPluginOptions(directory)?.options).toEqual({ installRoot: spec });
  }
  await write("opencode.jsonc", JSON.stringify({ plugin: ["file:/tmp/opencode-remote-ssh-theme-1.0.0.tgz"] }));
  expect(readPluginOptions(directory)).toBeUndefined();
});

it("says that nothing names the plugin when nothing does", async () => {
  expect(readPluginOptions(directory)).toBeUndefined();
  await write("opencode.json", '{"plugin": ["opencode-remote-ssh-other"]}');
  expect(readPluginOptions(directory)).toBeUndefined();
  await write("opencode.json", '{"plugin": ["opencode-remote-ssh"]}');
  expect(readPluginOptions(directory)).toMatchObject({ options: undefined, index: 0 });
});

it("names file and line of a configuration that does not parse", async () => {
  await write("opencode.json", '{\n  "plugin": [\n    oops\n  ]\n}');
  expect(() => readPluginOptions(directory)).toThrow(
    expect.objectContaining({ code: "config_invalid", details: { file: join(directory, "opencode.json"), line: 3 } }),
  );
});

it("looks where XDG_CONFIG_HOME points, else in ~/.config", () => {
  expect(openCodeDirectory({ XDG_CONFIG_HOME: "/x" }, "/home/me")).toBe("/x/opencode");
  expect(openCodeDirectory({ XDG_CONFIG_HOME: "" }, "/home/me")).toBe("/home/me/.config/opencode");
});
