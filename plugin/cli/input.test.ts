import { PassThrough } from "node:stream";
import { setTimeout } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { readInput } from "./input.js";

describe("standard input", () => {
  const halfOf = (isInterrupted: () => boolean) => {
    const stdin = new PassThrough();
    const input = readInput(stdin, isInterrupted);
    stdin.end("half");
    return input;
  };

  it("ends where it ends", async () => {
    const input = halfOf(() => false);
    expect((await input.next()).value?.toString()).toBe("half");
    expect(await input.next()).toMatchObject({ done: true });
  });

  it("never ends where the Ctrl-C that ended its writer is told just behind the end", async () => {
    let interrupted = false;
    const input = halfOf(() => interrupted);
    expect((await input.next()).value?.toString()).toBe("half");
    const end = input.next().then(() => "ended");
    setImmediate(() => {
      interrupted = true;
    });
    expect(await Promise.race([end, setTimeout(300, "open")])).toBe("open");
  });

  it("that fails is `input_failed`, not an end", async () => {
    const stdin = new PassThrough();
    const input = readInput(stdin, () => false);
    stdin.destroy(new Error("EIO: i/o error, read"));
    await expect(input.next()).rejects.toMatchObject({ code: "input_failed", message: "stdin: EIO: i/o error, read" });
  });
});
