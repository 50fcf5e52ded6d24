// The escape suite: every attack at every level, by `helper confine`, on the kernel that runs here. Each attack has its control
// (it works unconfined), and each gap that the product names is proven: a gap that is held after all fails here, too.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, describe as group, it } from "vitest";
import type { EnforcementLevel } from "../../protocol/health.js";
import { gapsOf } from "../../stub/confinement/gaps.js";
import { describe } from "../fixtures/with-compiler.js";
import { isRoot } from "../ssh/fixtures/users.js";
import { ATTACKS, CLASSES, type Named } from "./attacks/catalogue.js";
import { type Outcome, surprises } from "./attacks/results.js";
import { type Suite, startSuite } from "./attacks/suite.js";
import { type Column, tableOf } from "./attacks/table.js";

const AS_USER = ATTACKS.filter(({ attack }) => !attack.root);
const AS_ROOT = ATTACKS.filter(({ attack }) => !attack.user);

/** No kernel that we know has x32 switched on; some refuse to everybody to type into terminals; the first process may be out of reach. */
const MAY_BE_MISSING = /^(other-ABIs-and-io-uring--x32|other-terminals--type|proc-PID-of-others--first-process)/;

/** What depends on the ABI of Landlock: files that are written, moved, truncated, linked; signals; and that work goes on. */
const BY_ABI = new Set([
  "absolute paths",
  "hard links made inside",
  "rename and exchange",
  "writing where only reading is approved",
  "abstract sockets",
  "network, denied",
  "signals",
  "names and times",
  "what is approved",
]);

const KERNEL_ABI = 7;

it("has at least a hundred attacks, at least five in each class, each with a name of its own", () => {
  expect(ATTACKS.length).toBeGreaterThanOrEqual(100);
  expect(new Set(ATTACKS.map(({ id }) => id)).size).toBe(ATTACKS.length);
  for (const { name, attacks } of CLASSES) expect(attacks.length, name).toBeGreaterThanOrEqual(5);
});

it("proves every gap that a kernel level names", () => {
  const named = new Set(
    (["landlock", "mount", "mount+landlock"] as const).flatMap((level) =>
      [1, 7].flatMap((landlockAbi) => gapsOf({ level, landlockAbi, ask: false, network: true })),
    ),
  );
  const proven = new Set(ATTACKS.flatMap(({ attack }) => attack.gap ?? attack.lost ?? []));
  expect([...named].filter((gap) => !proven.has(gap))).toEqual([]);
});

describe("the escape suite of an ordinary user", () => {
  let suite: Suite;
  const columns: Column[] = [];
  beforeAll(async () => {
    suite = await startSuite({ attacks: AS_USER });
  });
  afterAll(async () => {
    await suite[Symbol.asyncDispose]();
  });

  it("control: unconfined, every attack succeeds", { timeout: 300_000 }, async () => {
    expectAllToSucceed(await suite.run([], AS_USER));
  });

  const levels: EnforcementLevel[] = ["guard", "landlock", "mount", "mount+landlock"];
  for (const level of levels) {
    it(`level ${level}: nothing gets out but by the gaps that it names`, { timeout: 300_000 }, async () => {
      const outcomes = await suite.run(suite.confine(level), AS_USER);
      columns.push({ level, landlockAbi: KERNEL_ABI, outcomes });
      expect(surprises(outcomes, { level, ask: false, landlockAbi: KERNEL_ABI })).toEqual([]);
    });
  }

  group("on kernels with an older Landlock", () => {
    const attacks = AS_USER.filter(({ className }) => BY_ABI.has(className));
    for (const landlockAbi of [1, 2, 3, 5]) {
      it(`ABI ${landlockAbi}: nothing gets out but by the gaps that it names`, { timeout: 300_000 }, async () => {
        const outcomes = await suite.run(suite.confine("landlock", "--max-abi", String(landlockAbi)), attacks);
        expect(surprises(outcomes, { level: "landlock", ask: false, landlockAbi })).toEqual([]);
      });
    }
  });

  it("docs/security.md has the table that this suite found", () => {
    const table = tableOf(columns);
    const folder = join(import.meta.dirname, "../../.cache/escape");
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "table.md"), `${table}\n`);
    console.log(table);
    expect(readFileSync(join(import.meta.dirname, "../../docs/security.md"), "utf8")).toContain(table);
  });
});

describe.skipIf(!isRoot)("the escape suite of root (needs root)", () => {
  let suite: Suite;
  beforeAll(async () => {
    suite = await startSuite({ root: true, attacks: AS_ROOT });
  });
  afterAll(async () => {
    await suite[Symbol.asyncDispose]();
  });

  it("control: unconfined, every attack succeeds", { timeout: 300_000 }, async () => {
    expectAllToSucceed(await suite.run([], AS_ROOT));
  });

  for (const level of ["landlock", "mount", "mount+landlock"] as const) {
    it(`level ${level}: root gets out no further than a user`, { timeout: 300_000 }, async () => {
      const outcomes = await suite.run(suite.confine(level), AS_ROOT);
      expect(surprises(outcomes, { level, ask: false, landlockAbi: KERNEL_ABI })).toEqual([]);
    });
  }
});

function expectAllToSucceed(outcomes: Outcome[]): void {
  const failed = outcomes.filter(({ result, named }) => result !== "escaped" && !isMissing(result, named));
  expect(failed.map(({ detail }) => detail)).toEqual([]);
}

function isMissing(result: Outcome["result"], { id }: Named): boolean {
  return result === "missing" && MAY_BE_MISSING.test(id);
}
