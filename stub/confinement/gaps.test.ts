import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { GAPS } from "../../protocol/gaps.js";
import { type EnforcementLevel, isKernelLevel } from "../../protocol/health.js";
import { gapsOf } from "./gaps.js";

const LEVELS: EnforcementLevel[] = ["off", "static", "guard", "mount", "landlock", "mount+landlock"];
const facts = { ask: true, landlockAbi: 7, network: true };

it("only the levels that the kernel holds are kernel levels, and only they keep the stub out of reach", () => {
  expect(LEVELS.filter(isKernelLevel)).toEqual(["mount", "landlock", "mount+landlock"]);
  for (const level of LEVELS) {
    expect(gapsOf({ ...facts, level }).includes("stub-reachable")).toBe(!isKernelLevel(level));
  }
});

it("what a kernel lacks is named: signals below ABI 6, moves that copy at ABI 1, modes where nothing is asked", () => {
  const at = (landlockAbi: number, ask = true) => gapsOf({ ...facts, level: "landlock", landlockAbi, ask });
  expect(at(7)).not.toContain("signals");
  expect(at(5)).toContain("signals");
  expect(at(2)).not.toContain("move-copies");
  expect(at(1)).toContain("move-copies");
  expect(at(7)).not.toContain("chmod");
  expect(at(7, false)).toEqual(expect.arrayContaining(["chmod", "no-unix-sockets"]));
});

it("a network that is denied is no gap where the level holds it, and named where it does not", () => {
  for (const level of LEVELS) {
    expect(gapsOf({ ...facts, level })).toContain("network");
    const denied = gapsOf({ ...facts, level, network: false });
    expect(denied).not.toContain("network");
    expect(denied.includes("network-denial")).toBe(level === "off" || level === "static");
  }
});

it("the memory that all programs of a user share is a command's own only in a view", () => {
  const lacking = LEVELS.filter((level) => gapsOf({ ...facts, level }).includes("shared-memory"));
  expect(lacking).toEqual(["guard", "landlock"]);
});

it("every gap has its sentence in docs/security.md", () => {
  const page = readFileSync(join(import.meta.dirname, "../../docs/security.md"), "utf8");
  for (const [gap, sentence] of Object.entries(GAPS)) expect(page).toContain(`| \`${gap}\` | ${sentence} |`);
});

it("without a pid namespace a view shows the host's processes, and lets signals pass unless Landlock holds them", () => {
  const without = (level: EnforcementLevel, landlockAbi: number) =>
    gapsOf({ ...facts, level, landlockAbi, processes: false }).filter(
      (gap) => gap === "signals" || gap === "proc-cmdline",
    );
  expect(gapsOf({ ...facts, level: "mount" })).not.toContain("signals");
  expect(without("mount", 7)).toEqual(["proc-cmdline", "signals"]);
  expect(without("mount+landlock", 5)).toEqual(["proc-cmdline", "signals"]);
  expect(without("mount+landlock", 6)).toEqual(["proc-cmdline"]);
});
