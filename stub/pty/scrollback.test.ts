import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cut, Scrollback } from "./scrollback.js";

const texts = fc.array(fc.string({ unit: "grapheme", minLength: 1, maxLength: 40 }), { maxLength: 60 });

describe("what a terminal printed", () => {
  it("is given from any cursor on as far as it is kept, whatever came in which pieces", () => {
    fc.assert(
      fc.property(texts, fc.nat(400), fc.integer({ min: -1, max: 3000 }), (pieces, limit, cursor) => {
        const scrollback = new Scrollback(limit);
        for (const piece of pieces) scrollback.append(piece);
        const all = pieces.join("");
        expect(scrollback.cursor).toBe(all.length);
        const given = scrollback.since(cursor);
        expect(all.endsWith(given)).toBe(true);
        if (cursor < 0) expect(given).toBe("");
        else {
          expect(given.length).toBeLessThanOrEqual(Math.max(0, all.length - cursor));
          expect(given.length).toBeGreaterThanOrEqual(Math.min(limit, Math.max(0, all.length - cursor)));
        }
      }),
    );
  });

  it("is cut into frames that tear no character apart", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 60 }), fc.integer({ min: 2, max: 9 }), (text, size) => {
        const frames = [...cut(text, size)];
        expect(frames.join("")).toBe(text);
        for (const frame of frames) expect(frame.length).toBeLessThanOrEqual(size);
        expect(frames.every((frame) => Buffer.from(frame).toString() === frame)).toBe(true);
      }),
    );
  });
});
