import { describe, expect, it } from "vitest";
import { RemoteError } from "../../protocol/errors.js";
import { authHold, RECONNECT_MAX_MS, reconnectDelay } from "./constants.js";
import { isAuthentication, next, type TunnelEvent, type TunnelState } from "./state.js";

const unreachable = new RemoteError("host_unreachable", "no route");
const refused = new RemoteError("auth_failed", "no key fits");
const walk = (...events: TunnelEvent[]) => events.reduce(next, { name: "idle" } as TunnelState);

describe("the states of a tunnel", () => {
  it("is ready at once where a stub answers, and after a bootstrap where none did", () => {
    expect(walk({ type: "wanted" }, { type: "proved" })).toEqual({ name: "ready" });
    expect(walk({ type: "wanted" }, { type: "stubMissing" }).name).toBe("bootstrapping");
    expect(walk({ type: "wanted" }, { type: "stubMissing" }, { type: "proved" })).toEqual({ name: "ready" });
  });

  it("goes on trying after a loss, and counts", () => {
    const lost = walk({ type: "wanted" }, { type: "proved" }, { type: "lost", reason: "cut" });
    expect(lost).toMatchObject({ name: "reconnecting", attempt: 1 });
    const again = next(next(lost, { type: "attemptFailed", error: unreachable }), {
      type: "attemptFailed",
      error: unreachable,
    });
    expect(again).toMatchObject({ name: "reconnecting", attempt: 3, reason: "no route" });
    expect(next(again, { type: "proved" })).toEqual({ name: "ready" });
  });

  it("does not try again by itself where a first connect failed", () => {
    expect(walk({ type: "wanted" }, { type: "attemptFailed", error: unreachable })).toMatchObject({ name: "failed" });
  });

  it("never retries authentication, not even while reconnecting, nor where a jump host refused it", () => {
    const lost = walk({ type: "wanted" }, { type: "proved" }, { type: "lost", reason: "cut" });
    expect(next(lost, { type: "attemptFailed", error: refused })).toEqual({ name: "failed", error: refused });
    const behind = new RemoteError("proxy_failed", "the jump host refused us", { cause: refused });
    expect(isAuthentication(behind)).toBe(true);
    expect(next(lost, { type: "attemptFailed", error: behind }).name).toBe("failed");
  });

  it("reconnects when a repair of a stub that was ready meets a lost connection", () => {
    const repairing = walk({ type: "wanted" }, { type: "proved" }, { type: "stubMissing" });
    const error = new RemoteError("connection_lost", "cut");
    expect(next(repairing, { type: "attemptFailed", error })).toMatchObject({ name: "reconnecting", attempt: 1 });
  });

  it("is idle when closed, from anywhere, and stays so whatever comes in late", () => {
    const closed = walk({ type: "wanted" }, { type: "stubMissing" }, { type: "closed" });
    expect(closed).toEqual({ name: "idle" });
    expect(next(closed, { type: "proved" })).toEqual({ name: "idle" });
    expect(next(closed, { type: "lost", reason: "late" })).toEqual({ name: "idle" });
  });
});

describe("pauses", () => {
  it("reconnects at once, then slower and slower up to a bound", () => {
    const delays = [1, 2, 3, 4, 5, 6, 7, 8, 9, 40].map((attempt) => reconnectDelay(attempt, 0.5));
    expect(delays).toEqual([0, 250, 500, 1000, 2000, 4000, 8000, RECONNECT_MAX_MS, RECONNECT_MAX_MS, RECONNECT_MAX_MS]);
  });

  it("leaves an account alone longer after each refusal: at most four tries in ten minutes", () => {
    let at = 0;
    let tries = 1;
    for (let failures = 1; at + authHold(failures) <= 600_000; failures++) {
      at += authHold(failures);
      tries++;
    }
    expect(tries).toBeLessThanOrEqual(4);
  });
});
