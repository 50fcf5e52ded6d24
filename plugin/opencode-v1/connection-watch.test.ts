import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { codeOf } from "../../protocol/errors.js";
import { ConnectionWatch } from "./connection-watch.js";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("a call whose connection is lost", () => {
  it("gives up after its limit, with the host and the last that is known", () => {
    const watch = new ConnectionWatch("prod");
    const guard = watch.guard(20_000);
    vi.advanceTimersByTime(60_000);
    watch.update({ state: "reconnecting", text: "connect ECONNREFUSED" });
    vi.advanceTimersByTime(19_000);
    expect(guard.signal.aborted).toBe(false);
    vi.advanceTimersByTime(1001);
    expect(codeOf(guard.signal.reason)).toBe("host_unreachable");
    expect(String(guard.signal.reason)).toContain("prod is lost: connect ECONNREFUSED");
  });

  it("goes on when the connection comes back in time, however often", () => {
    const watch = new ConnectionWatch("prod");
    const guard = watch.guard(20_000);
    for (let round = 0; round < 5; round++) {
      watch.update({ state: "reconnecting", text: "" });
      vi.advanceTimersByTime(15_000);
      watch.update({ state: "ready", text: "" });
    }
    vi.advanceTimersByTime(600_000);
    expect(guard.signal.aborted).toBe(false);
  });

  it("waits only a moment where it has been lost for long already", () => {
    const watch = new ConnectionWatch("prod");
    watch.update({ state: "reconnecting", text: "" });
    vi.advanceTimersByTime(300_000);
    const guard = watch.guard(20_000);
    vi.advanceTimersByTime(3001);
    expect(guard.signal.aborted).toBe(true);
  });

  it("waits much longer once the host may be at work", () => {
    const watch = new ConnectionWatch("prod");
    const guard = watch.guard(20_000);
    watch.update({ state: "reconnecting", text: "" });
    guard.extend(600_000);
    vi.advanceTimersByTime(599_000);
    expect(guard.signal.aborted).toBe(false);
    vi.advanceTimersByTime(1001);
    expect(guard.signal.aborted).toBe(true);
  });
});

describe("what the user reads while a connection is away", () => {
  it("is nothing before the first connect, a notice while it or the stub is away, and nothing again afterwards", () => {
    const watch = new ConnectionWatch("prod");
    const seen: (string | undefined)[] = [];
    using _ = watch.onChange(() => seen.push(watch.notice));
    for (const state of ["connecting", "bootstrapping", "ready", "bootstrapping", "reconnecting", "ready"] as const) {
      watch.update({ state, text: "" });
    }
    const notice = "reconnecting to prod…";
    expect(seen).toEqual([undefined, undefined, undefined, notice, notice, undefined]);
  });

  it("is nothing where it was given up: then the call fails", () => {
    const watch = new ConnectionWatch("prod");
    for (const state of ["ready", "reconnecting", "failed"] as const) watch.update({ state, text: "" });
    expect(watch.notice).toBeUndefined();
  });
});
