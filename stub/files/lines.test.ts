import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LineReader } from "./lines.js";

function read(text: Buffer, first: number, limit: number, cuts: number[] = []) {
  const reader = new LineReader(first, limit);
  let from = 0;
  for (const cut of [...cuts.map((at) => at % (text.length + 1)).sort((a, b) => a - b), text.length]) {
    reader.push(text.subarray(from, cut));
    from = cut;
  }
  return reader.result();
}

describe("lines of a file", () => {
  it("are the same however the bytes were cut into chunks", () => {
    const texts = fc
      .array(fc.oneof(fc.string({ unit: "grapheme" }), fc.constant("\n"), fc.constant("\r\n")))
      .map((parts) => parts.join(""));
    fc.assert(
      fc.property(
        texts,
        fc.array(fc.nat(), { maxLength: 8 }),
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 5 }),
        (text, cuts, first, limit) => {
          const bytes = Buffer.from(text);
          const all =
            text === ""
              ? []
              : text
                  .replace(/\n$/, "")
                  .split("\n")
                  .map((line) => line.replace(/\r$/, ""));
          const found = read(bytes, first, limit, cuts);
          expect(found.lines).toEqual(all.slice(first - 1, first - 1 + limit));
          expect(found.totalLines).toBe(all.length);
          expect(found.truncated).toBe(all.length > first - 1 + limit ? "lines" : null);
        },
      ),
    );
  });

  it("of any length cost no more memory than is shown of them", () => {
    const reader = new LineReader(1, 10);
    const chunk = Buffer.alloc(1024 * 1024, "x");
    const before = process.memoryUsage().rss;
    for (let round = 0; round < 300; round += 1) reader.push(chunk);
    expect(process.memoryUsage().rss - before).toBeLessThan(100 * 1024 * 1024);
    expect(reader.result()).toMatchObject({
      totalLines: 1,
      lines: [`${"x".repeat(2000)}... (line truncated to 2000 chars)`],
    });
  });
});
