import fc from "fast-check";
import { expect, it } from "vitest";
import { matchPattern, matchPatternList } from "./pattern.js";

it("matches as the equivalent regular expression does", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "b", ".", "["), maxLength: 8 });
  const pattern = fc.string({ unit: fc.constantFrom("a", "b", ".", "[", "*", "?"), maxLength: 8 });
  fc.assert(
    fc.property(pattern, text, (p, t) => {
      const source = p
        .replace(/[.[\]]/g, "\\$&")
        .replaceAll("*", ".*")
        .replaceAll("?", ".");
      expect(matchPattern(p, t)).toBe(new RegExp(`^${source}$`).test(t));
    }),
  );
});

it("answers at once where a regular expression would try for ever", () => {
  expect(matchPattern(`${"*a".repeat(40)}*b`, "a".repeat(2000))).toBe(false);
});

it("lets one negated pattern win over all others", () => {
  expect(matchPatternList(["*.example.com", "!bad.example.com"], "good.example.com")).toBe(true);
  expect(matchPatternList(["*.example.com", "!bad.example.com"], "bad.example.com")).toBe(false);
  expect(matchPatternList(["!bad.example.com"], "good.example.com")).toBe(false);
});
