import { describe, expect, it } from "vitest";
import { withoutLaptopFiles } from "./prompt-references.js";

describe("a subagent's prompt", () => {
  it("names no file of the laptop: what leads out of the directory is quoted", () => {
    expect(withoutLaptopFiles("look at @/etc/passwd, @~/.ssh/id_rsa and @../other/x.ts.")).toBe(
      "look at `@/etc/passwd`, `@~/.ssh/id_rsa` and `@../other/x.ts`.",
    );
  });

  it("keeps what lies in the directory, agents, addresses and what is quoted already", () => {
    for (const prompt of ["@src/a.ts", "@explore go", "mail a@b.c", "`@/etc/passwd`", "git@host:/x"]) {
      expect(withoutLaptopFiles(prompt)).toBe(prompt);
    }
  });
});
