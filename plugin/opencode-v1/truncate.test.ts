import { describe, expect, it } from "vitest";
import { viewText } from "./local-view.js";
import { OutputTail, shorten } from "./output-tail.js";
import { tailOf } from "./truncate.js";

describe("the end of a long output", () => {
  it("keeps what fits as it is", () => {
    expect(tailOf("a\nb", 2, 10)).toEqual({ text: "a\nb", cut: false });
  });

  it("keeps whole lines from the end, by lines or by bytes", () => {
    expect(tailOf("1\n2\n3\n4", 2, 100)).toEqual({ text: "3\n4", cut: true });
    expect(tailOf("aaaa\nbbbb\ncccc", 10, 9)).toEqual({ text: "bbbb\ncccc", cut: true });
  });

  it("cuts a single long line between characters, never inside one", () => {
    const { text } = tailOf("€".repeat(100), 10, 10);
    expect(text).toBe("€€€");
  });

  it("holds its memory whatever is printed, and knows that something is gone", () => {
    const tail = new OutputTail(1000);
    for (let index = 0; index < 1000; index++) tail.add("stdout", Buffer.from(`${index}\n`.padStart(100)));
    expect(tail.text().length).toBeLessThanOrEqual(1000);
    expect(tail.text().endsWith("999\n")).toBe(true);
    expect(tail.dropped).toBe(true);
  });

  it("joins a character whose bytes came in two pieces, also where the other stream spoke between them", () => {
    const tail = new OutputTail(1000);
    const euro = Buffer.from("€");
    tail.add("stdout", euro.subarray(0, 1));
    tail.add("stderr", Buffer.from("!"));
    tail.add("stdout", euro.subarray(1));
    expect(tail.text()).toBe("!€");
    tail.add("stdout", euro.subarray(0, 2));
    tail.end();
    expect(tail.text()).toBe("!€\ufffd");
  });

  it("shows the last 30,000 characters with a mark", () => {
    expect(shorten("x".repeat(30_000))).toBe("x".repeat(30_000));
    expect(shorten(`a${"x".repeat(30_000)}`)).toBe(`...\n\n${"x".repeat(30_000)}`);
  });

  it("opens a window of a saved output, by lines and by bytes", () => {
    expect(viewText("/p", "a\nb\nc\n", 2, 1)).toMatchObject({
      lines: ["b"],
      lineStart: 2,
      totalLines: 3,
      truncated: "lines",
    });
    expect(viewText("/p", "a\nb\nc\n", 2, 9)).toMatchObject({ lines: ["b", "c"], truncated: null });
    expect(viewText("/p", `${"y".repeat(1500)}\n`.repeat(100), 1, 2000)).toMatchObject({ truncated: "bytes" });
  });
});
