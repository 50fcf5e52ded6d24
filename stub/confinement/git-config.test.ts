import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { gitSettings } from "./git-config.js";

let home: string;
beforeEach(() => {
  home = realpathSync(mkdtempSync(join(tmpdir(), "ocrs-git-home-")));
  mkdirSync(join(home, ".config/git"), { recursive: true });
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const put = (name: string, text = "") => {
  writeFileSync(join(home, name), text);
  return join(home, name);
};

it("git's own files of the home, and those that they include, are what git may read", () => {
  put(".gitconfig", '[include]\n\tpath = ~/.gitconfig-work\n[core]\n  excludesFile = "~/.gitignore_global"\n');
  put(".config/git/config", '[includeIf "gitdir:~/w/"]\n path = ../../.gitconfig-more\n');
  const files = [".gitconfig-work", ".gitignore_global", ".gitconfig-more", ".config/git/ignore"].map((name) =>
    put(name),
  );
  expect(gitSettings({ home }).files.sort()).toEqual(
    [...files, join(home, ".gitconfig"), join(home, ".config/git/config")].sort(),
  );
});

it("credentials are none of them, and whoever writes the settings cannot name any other file", () => {
  put(".git-credentials");
  put(".config/git/credentials");
  mkdirSync(join(home, ".ssh"));
  put(".ssh/id_ed25519");
  put("notes.txt");
  put(
    ".gitconfig",
    "[include]\npath = ~/.ssh/id_ed25519\npath=~/.git-credentials\npath=~/.config/git/credentials\npath=~/notes.txt\npath=/etc/shadow\n",
  );
  symlinkSync(join(home, ".ssh/id_ed25519"), join(home, ".gitconfig-link"));
  expect(gitSettings({ home }).files).toEqual([join(home, ".gitconfig")]);
});

it("settings that are a link into a folder of dotfiles are read there, and git is told where", () => {
  mkdirSync(join(home, "dotfiles"));
  const real = put("dotfiles/gitconfig");
  symlinkSync(real, join(home, ".gitconfig"));
  expect(gitSettings({ home })).toEqual({ files: [real], linked: real });
});
