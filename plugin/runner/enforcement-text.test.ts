import { expect, it } from "vitest";
import { EnforcementLevel } from "../../protocol/health.js";
import { enforcementText, gapLines, isLower } from "./enforcement-text.js";

const at = (level: EnforcementLevel, landlockAbi = 7) => ({ level, landlockAbi, ask: true, gaps: ["network"] });

it("names the level, its gaps and why it is no better", () => {
  const text = enforcementText({ ...at("mount"), reason: "Landlock is not there" });
  expect(text).toBe(
    "enforcement mount: the kernel holds commands to what was approved; a running command is asked for; not held: network; Landlock is not there",
  );
  expect(enforcementText(at("mount+landlock"))).toContain("Landlock ABI 7");
});

it.each(["guard", "static"] as const)("never calls %s a boundary", (level) => {
  expect(enforcementText(at(level))).toContain("no boundary against a hostile command");
});

it("claims nothing where nothing holds", () => {
  expect(enforcementText(at("off"))).toContain("nothing holds commands");
});

it("is lower by a weaker level, or by an older Landlock; never by a better one", () => {
  const levels = EnforcementLevel.enum;
  for (const [one, weaker] of levels.entries()) {
    for (const [two, better] of levels.entries()) expect(isLower(at(weaker), at(better))).toBe(one < two);
  }
  expect(isLower(at("landlock", 3), at("landlock", 7))).toBe(true);
  expect(isLower(at("mount", 0), at("mount", 7))).toBe(false);
});

it("explains each gap that it knows, and names the others", () => {
  expect(gapLines({ gaps: ["stat", "of-tomorrow"] })).toEqual([
    expect.stringMatching(/^stat: names, sizes/),
    "of-tomorrow",
  ]);
});
