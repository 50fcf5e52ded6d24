// The end of `npm test`: what was skipped and why, then `N passed, N failed, N skipped` alone on the last line.
// summary.ts RESULTS.json VITEST_EXIT_STATUS
import { readFileSync, rmSync } from "node:fs";
import { type RunResults, summarise } from "./summarise.js";

const [file = "", status = "1"] = process.argv.slice(2);
const text = readFileSync(file, "utf8");
const results = text === "" ? { testResults: [] } : (JSON.parse(text) as RunResults);
rmSync(file);

const strict = process.env.CI === "true" && process.getuid?.() === 0;
const allowed = readFileSync(new URL("../allowed-skips.txt", import.meta.url), "utf8");
const summary = summarise(results, { runnerStatus: Number(status), allowedSkips: strict ? allowed : undefined });
for (const line of summary.lines) console.log(line);
process.exit(summary.ok ? 0 : 1);
