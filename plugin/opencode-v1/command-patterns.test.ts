import { describe, expect, it } from "vitest";
import { commandPatterns } from "./command-patterns.js";

describe("what OpenCode's rules are asked about a command line", () => {
  it("names each command of a list and a pipe, and what an answer for ever would cover", () => {
    expect(commandPatterns("git push origin main && npm run build | tee log")).toEqual({
      patterns: ["git push origin main", "npm run build", "tee log"],
      always: ["git push *", "npm run build *", "tee *"],
    });
  });

  it("sees commands inside substitutions, here documents, functions and subshells, where a match on the text would not", () => {
    const hidden = [
      "echo $(rm -rf x)",
      "echo `rm -rf x`",
      "cat <(rm -rf x)",
      "cat <<EOF\n$(rm -rf x)\nEOF",
      "f() { rm -rf x; }; f",
      '(echo "$(rm -rf x)")',
      "if true; then rm -rf x; fi",
      "[[ $(rm -rf x) ]]",
      "(( $(rm -rf x) ))",
      "A=$(rm -rf x)",
      "coproc rm -rf x",
    ];
    for (const command of hidden) {
      expect(command.startsWith("rm ")).toBe(false);
      expect(commandPatterns(command).patterns).toContain("rm -rf x");
    }
  });

  it("asks nothing for a change of directory alone, but for everything behind it", () => {
    expect(commandPatterns("cd /srv").patterns).toEqual([]);
    expect(commandPatterns("cd /srv; ls").patterns).toEqual(["ls"]);
  });

  it("asks for a redirection that has no command", () => {
    expect(commandPatterns("> important.txt").patterns).toEqual(["> important.txt"]);
  });

  it("asks for all of a text that it cannot read, and remembers nothing of it", () => {
    const command = "rm -rf x\necho 'not closed";
    expect(commandPatterns(command)).toEqual({ patterns: ["rm -rf x", "echo 'not closed", command], always: [] });
  });
});
