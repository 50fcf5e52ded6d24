import { describe, expect, it } from "vitest";
import { PathLocks } from "./path-locks.js";
import { ReadCache } from "./read-cache.js";

describe("edits of one file", () => {
  it("follow one another, where without the lock they overwrite each other", async () => {
    const file = { text: "" };
    const append = async (letter: string) => {
      const before = file.text;
      await new Promise((resolve) => setTimeout(resolve, 1));
      file.text = before + letter;
    };
    const letters = ["a", "b", "c"];
    await Promise.all(letters.map(append));
    expect(file.text).not.toBe("abc");

    file.text = "";
    const locks = new PathLocks();
    await Promise.all(letters.map((letter) => locks.run("/f", () => append(letter))));
    expect(file.text).toBe("abc");
  });

  it("go on after one that failed", async () => {
    const locks = new PathLocks();
    const failed = locks.run("/f", () => Promise.reject(new Error("no")));
    const next = locks.run("/f", async () => "yes");
    await expect(failed).rejects.toThrow("no");
    expect(await next).toBe("yes");
  });
});

describe("what a session has read", () => {
  it("is its own, and the longest unused goes first when memory is short", () => {
    const cache = new ReadCache();
    const big = { text: "x".repeat(12 * 1024 * 1024), tag: "1" };
    for (const path of ["/a", "/b"]) cache.set("ses_1", path, big);
    expect(cache.get("ses_2", "/a")).toBeUndefined();
    expect(cache.get("ses_1", "/a")).toBe(big);
    cache.set("ses_1", "/c", big);
    expect(cache.get("ses_1", "/b")).toBeUndefined();
    expect(cache.get("ses_1", "/a")).toBe(big);
  });
});
