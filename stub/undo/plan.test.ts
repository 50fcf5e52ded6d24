import { describe, expect, it } from "vitest";
import type { FileState } from "../files/change-recorder.js";
import { planRedo, planUndo } from "./plan.js";

const file = (tag: string): FileState => ({ type: "file", tag, mode: 0o644, uid: 0, gid: 0 });
const absent: FileState = { type: "absent" };
const first = { before: absent, after: file("A") };
const second = { before: file("A"), after: file("B") };

describe("taking changes back", () => {
  it("goes as far as each starts from what the one before it left", () => {
    expect(planUndo(file("B"), [second, first])).toEqual({ goal: absent, steps: [second, first], idle: [], left: [] });
    expect(planUndo(file("X"), [second, first])).toMatchObject({ goal: file("X"), steps: [], left: [second, first] });
    const behind = { before: file("X"), after: file("C") };
    expect(planUndo(file("C"), [behind, first])).toMatchObject({ goal: file("X"), steps: [behind], left: [first] });
  });

  it("finds what was done before a kill, of both ways, also where only a part of it was", () => {
    expect(planUndo(absent, [second, first])).toMatchObject({ goal: absent, steps: [], idle: [second, first] });
    expect(planUndo(file("A"), [second, first])).toMatchObject({ goal: absent, steps: [first], idle: [second] });
    expect(planRedo(file("B"), [first, second])).toMatchObject({ goal: file("B"), steps: [], idle: [first, second] });
    expect(planRedo(absent, [first, second])).toMatchObject({ goal: file("B"), steps: [first, second], left: [] });
  });

  it("passes over a change that failed after it was written down, and stops at what cannot be compared", () => {
    const failed = { before: file("A"), after: file("F") };
    expect(planUndo(file("B"), [second, failed, first])).toMatchObject({ goal: absent, idle: [failed], left: [] });
    const tree = { before: { type: "other" } as const, after: absent };
    expect(planUndo(absent, [tree])).toMatchObject({ goal: { type: "other" } });
  });
});
