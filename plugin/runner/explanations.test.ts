import { expect, it } from "vitest";
import { explanations, mayRunAgain, runAgainText } from "./explanations.js";
import type { CommandResult } from "./runner.js";

const result: CommandResult = {
  commandID: "cmd_0123456789",
  state: "exited",
  exit: 1,
  signal: null,
  timedOut: false,
  aborted: false,
  startedAt: 0,
  endedAt: 1,
  stdoutBytes: 0,
  stderrBytes: 0,
  missedBytes: 0,
  pending: 0,
  survivors: [],
  enforcement: { level: "mount", ask: true, landlockAbi: 0, gaps: [] },
};
const made = { path: "/srv/x/new", access: "write" as const, operation: "mkdir" };
const opened = { path: "/srv/x/file", access: "read" as const, operation: "open" };

it("a failure is explained by what was not shown, what was refused, and what gains no rights", () => {
  expect(explanations({ ...result, hidden: ["/srv/y"], blocked: [made], setuid: ["sudo"] })).toEqual([
    "not shown to this command: /srv/y (not approved)",
    "refused: mkdir /srv/x/new (not approved)",
    expect.stringMatching(/^hint: sudo gains no rights at level mount; run the command unconfined/),
  ]);
  expect(explanations(result)).toEqual([]);
});

it("a sudo that the host does not have is not said to gain rights when it is run unconfined", () => {
  expect(explanations({ ...result, exit: 127, setuid: ["sudo"] })).toEqual([]);
});

it("a success needs no explanation, and of many refusals the first are named", () => {
  expect(explanations({ ...result, exit: 0, blocked: [made] })).toEqual([]);
  const many = Array.from({ length: 12 }, (_, index) => ({ ...made, path: `/srv/${index}` }));
  expect(explanations({ ...result, blocked: many })).toHaveLength(11);
});

it("only what could not be asked for while it ran is asked for afterwards, and only after a failure", () => {
  expect(mayRunAgain({ ...result, blocked: [opened, made] })).toBe(true);
  expect(mayRunAgain({ ...result, blocked: [opened] })).toBe(false);
  expect(mayRunAgain({ ...result, exit: 0, blocked: [made] })).toBe(false);
  expect(mayRunAgain({ ...result, aborted: true, blocked: [made] })).toBe(false);
  expect(runAgainText([{ path: "/srv/x", access: "write", kind: "directory" }])).toContain("(write /srv/x)");
});
