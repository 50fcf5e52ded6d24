import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { ConnectionState } from "../runner/runner.js";
import { LostNotice } from "./lost-notice.js";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function notice() {
  const lines: string[] = [];
  const made = new LostNotice("prod", (line) => lines.push(line));
  const go = (...states: ConnectionState[]) => {
    for (const state of states) made.update({ state, text: "" });
  };
  return { lines, go };
}

describe("a connection that is lost under a command", () => {
  it("is said once, however many attempts follow, and said again when it is back", () => {
    const { lines, go } = notice();
    go("connecting", "bootstrapping", "ready", "reconnecting");
    vi.advanceTimersByTime(1001);
    go("reconnecting", "reconnecting");
    vi.advanceTimersByTime(60_000);
    go("ready");
    expect(lines).toEqual(["reconnecting to prod…\n", "connected to prod again\n"]);
  });

  it("is not said where it was a blip, nor before anything was connected", () => {
    const { lines, go } = notice();
    go("connecting", "bootstrapping");
    vi.advanceTimersByTime(60_000);
    go("ready", "reconnecting");
    vi.advanceTimersByTime(900);
    go("ready");
    vi.advanceTimersByTime(60_000);
    expect(lines).toEqual([]);
  });

  it("is said as well where the stub behind it has to be started again", () => {
    const { lines, go } = notice();
    go("ready", "bootstrapping");
    vi.advanceTimersByTime(1001);
    expect(lines).toEqual(["reconnecting to prod…\n"]);
  });
});
