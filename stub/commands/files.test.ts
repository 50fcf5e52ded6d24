import { describe, expect, it } from "vitest";
import { hasEnded, parseRun, waitStatus } from "./files.js";

const META = {
  commandID: "cmd_00000000",
  sessionID: "ses_00000000",
  workspaceID: "wrk_00000000",
  title: "x",
  cwd: "/",
  created: 1,
  enforcement: { level: "static", ask: false, landlockAbi: 0, gaps: [] },
  fingerprint: "f",
  boot: "b",
};
const PROCESS = { pid: 7, startTime: "99", started: 2 };
const END = {
  status: 0,
  flags: 0,
  started: 2,
  ended: 3,
  stdout: 1,
  stderr: 0,
  pending: 1,
  dropped: { stdout: null, stderr: null },
  errno: 0,
};
const PLAIN = `${`${"0".repeat(16)} `.repeat(10).slice(0, -1)}\n`;

describe("the record of a command on disk", () => {
  const begin = `${PLAIN}${JSON.stringify(META)}\n${JSON.stringify(PROCESS)}\n`;

  it("has no end while it runs, nor while the line of the end is half written", () => {
    for (const text of [begin, `${begin}{"status":0,"fl`]) {
      expect(parseRun(text)).toEqual({ marks: [undefined, undefined], meta: META, process: PROCESS, end: undefined });
      expect(hasEnded(text)).toBe(false);
    }
  });

  it("ends with its last whole line", () => {
    const first = `${begin}${JSON.stringify({ ...END, survivors: null })}\n`;
    expect(parseRun(first).end).toEqual({ ...END, survivors: null });
    expect(parseRun(`${first}${JSON.stringify({ ...END, survivors: [] })}\n`).end).toEqual({ ...END, survivors: [] });
    expect(hasEnded(first)).toBe(true);
  });

  it("is refused where it makes no sense", () => {
    for (const text of [
      "",
      "\n",
      "{}\n{}\n",
      `${PLAIN}{}\n{}\n`,
      `${begin}{}\n`,
      begin.slice(0, 20),
      begin.slice(0, 190),
    ]) {
      expect(() => parseRun(text)).toThrow(SyntaxError);
    }
  });
});

describe("a wait status", () => {
  it("is an exit status or the name of a signal, never both", () => {
    expect(waitStatus(0)).toEqual({ exit: 0, signal: null });
    expect(waitStatus(255 << 8)).toEqual({ exit: 255, signal: null });
    expect(waitStatus(9)).toEqual({ exit: null, signal: "SIGKILL" });
    expect(waitStatus(6 | 0x80)).toEqual({ exit: null, signal: "SIGABRT" });
    expect(waitStatus(34)).toEqual({ exit: null, signal: "SIG34" });
  });
});
