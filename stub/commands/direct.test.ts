import { describe, expect, it } from "vitest";
import { directWords } from "./direct.js";

const NAMES = ["PATH", "HOME"];

describe("a command text that needs no shell", () => {
  it("is one of plain words", () => {
    expect(directWords("git status", NAMES)).toEqual(["git", "status"]);
    expect(directWords("  ls   -la  src/a_b.c ", NAMES)).toEqual(["ls", "-la", "src/a_b.c"]);
    expect(directWords("make CC=gcc -j4 all", NAMES)).toEqual(["make", "CC=gcc", "-j4", "all"]);
    expect(directWords("./run.sh a@b.c 50% x:y,z +1", NAMES)).toEqual(["./run.sh", "a@b.c", "50%", "x:y,z", "+1"]);
    expect(directWords("true", NAMES)).toEqual(["true"]);
    expect(directWords("echo hello world", NAMES)).toEqual(["echo", "hello", "world"]);
  });

  it("has no character that a shell would act on", () => {
    for (const character of "|&;<>()$`\\\"'*?[]{}#~!^\t\n\r") {
      expect(directWords(`ls a${character}b`, NAMES)).toBeUndefined();
      expect(directWords(`${character} ls`, NAMES)).toBeUndefined();
    }
    expect(directWords("ls ä", NAMES)).toBeUndefined();
  });

  it("does not begin with an assignment, a job, a builtin or a keyword", () => {
    const others = [
      "A=1 env",
      "A=1",
      "%1",
      ".",
      ". file",
      "cd /",
      "exec ls",
      "time ls",
      "if true",
      "export A=1",
      ":",
      "",
    ];
    for (const text of [...others, "umask", "pwd", "kill 1", "test -e x", "true x", "echo -n x", "source x", "wait"]) {
      expect([text, directWords(text, NAMES)]).toEqual([text, undefined]);
    }
  });

  it("is in an environment that does not tell shells to do more", () => {
    for (const name of ["BASH_ENV", "ENV", "SHELLOPTS", "BASHOPTS", "BASH_FUNC_ls%%"]) {
      expect(directWords("ls", [...NAMES, name])).toBeUndefined();
    }
    expect(directWords("ls", ["HOME"])).toBeUndefined(); // whoever has no PATH gets the shell's own default
  });
});
