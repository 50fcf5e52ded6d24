import { describe, expect, it } from "vitest";
import { type RunResults, summarise } from "./summarise.js";

const test = (status: string, fullName = "a test") => ({ status, fullName });
const run = (...assertionResults: { status: string; fullName: string }[]): RunResults => ({
  testResults: [
    {
      name: "a.test.ts",
      status: assertionResults.some((each) => each.status === "failed") ? "failed" : "passed",
      assertionResults,
    },
  ],
});

describe("the end of npm test", () => {
  it("counts, and lists the skipped before the last line", () => {
    const summary = summarise(run(test("passed"), test("pending", "needs root: mounts")), {
      runnerStatus: 0,
      allowedSkips: undefined,
    });
    expect(summary).toEqual({ ok: true, lines: ["skipped:", "  needs root: mounts", "1 passed, 0 failed, 1 skipped"] });
  });

  it("fails on a failed test", () => {
    const summary = summarise(run(test("passed"), test("failed")), { runnerStatus: 1, allowedSkips: undefined });
    expect(summary.ok).toBe(false);
    expect(summary.lines.at(-1)).toBe("1 passed, 1 failed, 0 skipped");
  });

  it("counts a file that could not be loaded as one failure", () => {
    const results = run(test("passed"));
    results.testResults.push({ name: "b.test.ts", status: "failed", message: "no such module", assertionResults: [] });
    const summary = summarise(results, { runnerStatus: 1, allowedSkips: undefined });
    expect(summary.ok).toBe(false);
    expect(summary.lines).toEqual(["failed to run: b.test.ts: no such module", "1 passed, 1 failed, 0 skipped"]);
  });

  it("fails when vitest failed though every test passed", () => {
    const summary = summarise(run(test("passed")), { runnerStatus: 1, allowedSkips: undefined });
    expect(summary.ok).toBe(false);
    expect(summary.lines.at(-1)).toBe("1 passed, 1 failed, 0 skipped");
  });

  it("fails when nothing ran", () => {
    expect(summarise({ testResults: [] }, { runnerStatus: 0, allowedSkips: undefined }).ok).toBe(false);
  });

  it("where skips are listed, fails on any other", () => {
    const results = run(test("passed"), test("skipped", "needs kvm: boots"), test("skipped", "needs sshd: connects"));
    const summary = summarise(results, { runnerStatus: 0, allowedSkips: "# no kvm in CI\nneeds kvm\n" });
    expect(summary.ok).toBe(false);
    expect(summary.lines.at(-1)).toBe("1 passed, 1 failed, 2 skipped");
    expect(summarise(results, { runnerStatus: 0, allowedSkips: "needs kvm\nneeds sshd\n" }).ok).toBe(true);
  });
});
