// The C unit tests of the confinement (test/*.c), each a test here. x64 runs natively; arm64 runs what qemu-user can run: it knows
// neither Landlock nor seccomp, which the virtual machines of test/kernel drive.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { compileOnce } from "../../../test/fixtures/compile-once.js";
import { cCompiler, onPath } from "../../../test/fixtures/helper-binary.js";
import { onOlderKernel } from "../../../test/fixtures/older-kernel.js";

const run = promisify(execFile);
const SOURCES = [import.meta.dirname, join(import.meta.dirname, "test")];
const compiler = await cCompiler();

interface Result {
  sentence: string;
  how: string;
  notes: string;
}

/** One result per line "ok|skip|not ok GROUP: SENTENCE", with the "#" lines before it. */
async function resultsOf([file = "", ...args]: string[]): Promise<Result[]> {
  const { stdout } = await run(file, args).catch((error: { stdout: string }) => error);
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

if (compiler === undefined) describe.skip("the confinement in C (needs a C compiler)");
else {
  const program = await compileOnce("confine-test", SOURCES, { compiler, flags: ["-static"] });
  const native = await resultsOf([program]);
  describe("the confinement in C", () => report(native));

  const older = await resultsOf([...(await onOlderKernel("below5_6")), program, "policy", "pin", "resolve"]);
  describe("the confinement in C without openat2", () => report(older));
}

const cross = "aarch64-linux-gnu-gcc";
const emulator = "qemu-aarch64-static";
if (!(await onPath(cross)) || !(await onPath(emulator))) {
  describe.skip(`the confinement in C on arm64 (needs ${cross} and ${emulator})`);
} else {
  const program = await compileOnce("confine-test-arm64", SOURCES, { compiler: cross, flags: ["-static"] });
  const results = await resultsOf([emulator, program, "policy", "pin", "resolve"]);
  describe("the confinement in C on arm64", () => report(results));
}
