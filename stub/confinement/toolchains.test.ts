import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { Toolchains } from "./toolchains.js";

let home: string;
let toolchains: Toolchains;
beforeEach(() => {
  home = realpathSync(mkdtempSync(join(tmpdir(), "ocrs-tools-")));
  toolchains = new Toolchains({ home, installRoot: join(home, ".root") });
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const program = (name: string) => {
  mkdirSync(dirname(join(home, name)), { recursive: true });
  writeFileSync(join(home, name), "", { mode: 0o755 });
};
const find = (...directories: string[]) =>
  toolchains.find([...directories.map((each) => join(home, each)), "/usr/bin"].join(":"));

it("a version manager's program brings the whole of its installation, not the home", () => {
  program(".nvm/versions/node/v20/bin/node");
  program(".pyenv/shims/python3");
  program("bin/mine");
  find(".nvm/versions/node/v20/bin", ".pyenv/shims", "bin");
  expect(toolchains.roots).toEqual([".nvm/versions/node/v20", ".pyenv", "bin"].map((each) => join(home, each)));
});

it("where credentials lie beside the programs only the programs are meant: cargo, ~/.local", () => {
  program(".cargo/bin/cargo");
  program(".cargo/credentials.toml");
  program(".rustup/settings.toml");
  program(".local/bin/tool");
  program(".local/lib/python3/x.py");
  program(".local/share/keyrings/login");
  find(".cargo/bin", ".local/bin");
  expect(toolchains.roots).toEqual(
    [".cargo/bin", ".rustup", ".local/bin", ".local/lib"].map((each) => join(home, each)),
  );
});

it("a link to the version in use is found with what it leads to", () => {
  program(".sdkman/candidates/java/17/bin/java");
  symlinkSync("17", join(home, ".sdkman/candidates/java/current"));
  find(".sdkman/candidates/java/current/bin");
  expect(toolchains.roots).toEqual([join(home, ".sdkman/candidates/java")]);
});

it("a command that starts such a program is known by its text; one that only names it is not, nor one that PATH finds elsewhere first", () => {
  program(".nvm/bin/node");
  program(".late/bin/env");
  toolchains.find([join(home, ".nvm/bin"), "/usr/bin", join(home, ".late/bin")].join(":"));
  for (const text of ["node -e 1", "cd x && node y", "A=1 node", "true | node", "$(node -p 1)", "time node x"]) {
    expect([text, toolchains.isStartedBy(text)]).toEqual([text, true]);
  }
  for (const text of ["grep node file", "echo node", "env", "nodejs", "ls -la"]) {
    expect([text, toolchains.isStartedBy(text)]).toEqual([text, false]);
  }
});
