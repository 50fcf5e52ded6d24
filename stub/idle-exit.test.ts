import { afterEach, expect, it, vi } from "vitest";
import { watchIdle } from "./idle-exit.js";

afterEach(() => void vi.useRealTimers());

it("a stub ends after its idle time, whatever the wall clock jumps to meanwhile", () => {
  vi.useFakeTimers({ toFake: ["Date", "setInterval", "clearInterval"] });
  let now = 0;
  const onIdle = vi.fn();
  let busy = true;
  using _watch = watchIdle({ seconds: 60, busy: () => busy, onIdle, now: () => now });
  vi.advanceTimersByTime(500);
  busy = false;
  vi.setSystemTime(Date.now() + 24 * 3600 * 1000);
  now = 59_000;
  vi.advanceTimersByTime(500);
  expect(onIdle).not.toHaveBeenCalled();
  vi.setSystemTime(Date.now() - 48 * 3600 * 1000);
  now = 60_000;
  vi.advanceTimersByTime(500);
  expect(onIdle).toHaveBeenCalledTimes(1);
});
