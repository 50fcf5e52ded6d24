// The arithmetic of logs against the simplest model there is: a file as a list of the offsets that its bytes have.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { holeOf, placeOf, stillThere } from "./extent.js";
import type { Marks } from "./marks.js";

/** Marks as a helper makes them, and the file they describe. */
const logs = fc.record({ size: fc.nat(200), more: fc.nat(500), step: fc.nat(20) }).map(({ size, more, step }) => {
  const head = Math.floor(size / 2);
  const ring = size - head;
  const end = size + more;
  const floor = Math.min(end, Math.max(head, more === 0 ? head : end - ring + (ring === 0 ? 0 : step)));
  const file: number[] = [];
  for (let offset = 0; offset < end; offset++) {
    if (offset < head) file[offset] = offset;
    else if (ring > 0) file[head + ((offset - head) % ring)] = offset;
  }
  return { marks: { head, ring, floor, end } satisfies Marks, file };
});

describe("where the bytes of a log are", () => {
  it("finds each byte that is there in its place, and calls the others gone", () => {
    fc.assert(
      fc.property(logs, ({ marks, file }) => {
        let offset = 0;
        const gone: number[] = [];
        while (offset < marks.end) {
          const place = placeOf(marks, offset);
          if ("hole" in place) {
            expect(place.hole.first).toBe(offset);
            for (; offset <= place.hole.last; offset++) gone.push(offset);
            continue;
          }
          expect(place.length).toBeGreaterThan(0);
          const bytes = file.slice(place.position, place.position + place.length);
          expect(bytes).toEqual(Array.from({ length: place.length }, (_, i) => offset + i));
          offset += place.length;
        }
        const hole = holeOf(marks);
        expect([gone[0], gone.at(-1)]).toEqual([hole?.first, hole?.last]);
        expect(gone.length).toBe(hole === null ? 0 : hole.last - hole.first + 1);
        expect(placeOf(marks, marks.end)).toMatchObject({ length: 0 });
      }),
    );
  });

  it("takes nothing for good that was overwritten while it was read", () => {
    fc.assert(
      fc.property(logs, fc.nat(700), fc.integer({ min: 1, max: 100 }), ({ marks, file }, offset, count) => {
        const good = stillThere(marks, offset, count);
        // what a reader sees that took the log for a plain file
        for (let i = 0; i < good && offset + i < file.length; i++) expect(file[offset + i]).toBe(offset + i);
      }),
    );
  });

  it("is simple as long as no cap was reached", () => {
    expect(placeOf(undefined, 7)).toEqual({ position: 7, length: Number.POSITIVE_INFINITY });
    expect(stillThere(undefined, 7, 3)).toBe(3);
    expect(holeOf(undefined)).toBeNull();
  });
});
