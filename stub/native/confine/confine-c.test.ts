// The C unit tests of the confinement (test/*.c), each a test here. x64 runs natively; arm64 runs what qemu-user can run: it knows
// neither Landlock nor seccomp, which the virtual machines of test/kernel drive.
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { confineTests } from "../../../test/fixtures/confine-tests.js";
import { ORDINARY } from "../../../test/fixtures/confined.js";
import { onPath } from "../../../test/fixtures/helper-binary.js";
import { onOlderKernel } from "../../../test/fixtures/older-kernel.js";

const run = promisify(execFile);
/** What needs nothing of the kernel. */
const ANYWHERE = ["policy", "pin", "resolve", "filter"];

interface Result {
  sentence: string;
  how: string;
  notes: string;
}

/** One result per line "ok|skip|not ok GROUP: SENTENCE", with the "#" lines before it. */
async function resultsOf([file = "", ...args]: string[], user: { uid?: number; gid?: number } = {}): Promise<Result[]> {
  const { stdout } = await run(file, args, user).catch((error: { stdout: string }) => error);
  let notes = "";
  const results: Result[] = [];
  for (const line of stdout.trim().split("\n")) {
    const [, how, sentence] = /^(ok|skip|not ok) (.*)$/.exec(line) ?? [];
    if (how !== undefined && sentence !== undefined) {
      results.push({ sentence, how, notes });
      notes = "";
    } else notes += `${line}\n`;
  }
  return results;
}

function report(results: Result[]) {
  it("ran", () => expect(results.length).toBeGreaterThan(0));
  for (const { sentence, how, notes } of results)
    it(sentence, ({ skip }) => {
      if (how === "skip") skip(notes);
      expect(how, notes).toBe("ok");
    });
}

const native = await confineTests("x64");
if (native === undefined) describe.skip("the confinement in C (needs a C compiler)");
else {
  const here = await resultsOf([native]);
  describe("the confinement in C", () => report(here));

  if (process.getuid?.() === 0) {
    const ordinary = await resultsOf([native, "landlock", "confine"], { uid: ORDINARY, gid: ORDINARY });
    describe("the confinement in C, as an ordinary user", () => report(ordinary));
  }

  const older = await resultsOf([...(await onOlderKernel("below5_6")), native, ...ANYWHERE]);
  describe("the confinement in C without openat2", () => report(older));
}

const arm64 = await confineTests("arm64");
const emulator = "qemu-aarch64-static";
if (arm64 === undefined || !(await onPath(emulator))) {
  describe.skip(`the confinement in C on arm64 (needs aarch64-linux-gnu-gcc and ${emulator})`);
} else {
  const emulated = await resultsOf([emulator, arm64, ...ANYWHERE]);
  describe("the confinement in C on arm64", () => report(emulated));
}
