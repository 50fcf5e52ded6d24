// The order of test files: those that take minutes first, so that no worker is left alone with one in the end.
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Longest first. */
const LONG = [
  "test/kernel/vm-lacking.test.ts",
  "test/kernel/vm-debian.test.ts",
  "test/kernel/escape.test.ts",
  "test/integration/developer-commands.test.ts",
  "test/ssh/faults.test.ts",
];

export class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const rank = ({ moduleId }: TestSpecification) => {
      const place = LONG.findIndex((name) => moduleId.endsWith(`/${name}`));
      return place < 0 ? LONG.length : place;
    };
    return sorted.sort((a, b) => rank(a) - rank(b));
  }
}
