import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { allowedBytes, expired } from "./expiry.js";

const entry = (ended: number, bytes: number) => ({
  commandID: `cmd_0000000${ended}`,
  sessionID: "ses_00000000",
  workspaceID: "wrk_00000000",
  state: "exited" as const,
  created: 0,
  ended,
  bytes,
});

describe("what is kept of ended commands", () => {
  it("is bounded in bytes, number and age, and the oldest go first", () => {
    const entries = fc.array(fc.tuple(fc.nat(1000), fc.nat(100)).map(([ended, bytes]) => entry(ended, bytes)));
    const limits = fc.record({ bytes: fc.nat(2000), ageMs: fc.nat(1000), count: fc.nat(30) });
    fc.assert(
      fc.property(entries, limits, (all, limit) => {
        const gone = new Set(expired(all, limit, 1000));
        const kept = all.filter((one) => !gone.has(one));
        expect(kept.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThanOrEqual(limit.bytes);
        expect(kept.length).toBeLessThanOrEqual(limit.count);
        for (const { ended } of kept) expect(1000 - ended).toBeLessThanOrEqual(limit.ageMs);
        const youngest = Math.max(0, ...[...gone].map(({ ended }) => ended));
        for (const { ended } of kept) expect(ended).toBeGreaterThanOrEqual(youngest);
      }),
    );
  });

  it("loses nothing within the limits", () => {
    expect(expired([entry(1, 10), entry(2, 10)], { bytes: 20, ageMs: 999, count: 2 }, 1000)).toEqual([]);
    expect(expired([entry(2, 10), entry(1, 10)], { bytes: 19, ageMs: 999, count: 2 }, 1000)).toEqual([entry(1, 10)]);
  });

  it("takes a tenth of the free space at most", () => {
    expect([allowedBytes(100, 5000), allowedBytes(100, 500)]).toEqual([100, 50]);
  });
});
