import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { expect, it } from "vitest";
import { shellQuote } from "./shell-quote.js";

it("gives any text to a real sh as one word, unchanged", () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.string({ unit: "grapheme" }).filter((text) => !text.includes("\0")),
        { maxLength: 8 },
      ),
      (words) => {
        const script = `printf '%s\\0' ${words.map(shellQuote).join(" ")} end`;
        const seen = execFileSync("sh", { input: script }).toString().split("\0").slice(0, -1);
        expect(seen).toEqual([...words, "end"]);
      },
    ),
    { numRuns: 60 },
  );
});

it("does not let a value run: JSON quoting would", () => {
  const value = "$(echo ran)`echo ran`";
  const output = (word: string) => execFileSync("sh", { input: `printf %s ${word}` }).toString();
  expect(output(JSON.stringify(value))).toBe("ranran");
  expect(output(shellQuote(value))).toBe(value);
});

it("refuses NUL", () => {
  expect(() => shellQuote("a\0b")).toThrow(expect.objectContaining({ code: "invalid_request" }));
});
