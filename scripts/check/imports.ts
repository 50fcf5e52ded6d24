// The import check of `npm run check`: reads all sources of the product and holds them against rules.ts.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { importsOf } from "./imports-of.js";
import { refuse } from "./rules.js";

const root = join(import.meta.dirname, "../..");

const files = ["plugin", "stub", "protocol"].flatMap((side) =>
  readdirSync(join(root, side), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"))
    .map((name) => `${side}/${name}`)
    .sort(),
);
let refused = 0;
for (const from of files) {
  for (const to of importsOf(from, readFileSync(join(root, from), "utf8"))) {
    const reason = refuse({ from, to });
    if (reason === undefined) continue;
    refused += 1;
    console.error(`${from} imports ${to}: ${reason}`);
  }
}
console.log(`${files.length} files, ${refused} refused imports`);
process.exitCode = refused === 0 ? 0 : 1;
