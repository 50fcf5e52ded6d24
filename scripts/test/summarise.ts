// Vitest's JSON report as the lines that `npm test` ends with. Pure; summary.ts reads and prints.

export interface RunResults {
  testResults: FileResult[];
}

interface FileResult {
  name: string;
  status: string;
  message?: string;
  assertionResults: { status: string; fullName: string }[];
}

export interface SummaryOptions {
  /** Vitest's own exit status: it fails for what no test shows, for example an unhandled rejection. */
  runnerStatus: number;
  /** One part of a test's name per line, `#` for comments: the only skips that pass. Undefined: any skip passes. */
  allowedSkips: string | undefined;
}

export function summarise(results: RunResults, options: SummaryOptions): { lines: string[]; ok: boolean } {
  const tests = results.testResults.flatMap((file) => file.assertionResults);
  const passed = tests.filter((test) => test.status === "passed").length;
  // A file that could not be loaded has no tests, or none that ran: it is one failure.
  const broken = results.testResults.filter(
    (file) => file.status === "failed" && !file.assertionResults.some((test) => test.status === "failed"),
  );
  const skipped = tests.filter((test) => test.status !== "passed" && test.status !== "failed");
  const lines: string[] = [];
  if (skipped.length > 0) lines.push("skipped:", ...skipped.map((test) => `  ${test.fullName}`));
  for (const file of broken) lines.push(`failed to run: ${file.name}: ${file.message ?? ""}`.trimEnd());

  let failed = tests.filter((test) => test.status === "failed").length + broken.length;
  if (options.allowedSkips !== undefined) {
    const allowed = options.allowedSkips.split("\n").filter((line) => line.trim() !== "" && !line.startsWith("#"));
    const unexpected = skipped.filter((test) => !allowed.some((part) => test.fullName.includes(part.trim())));
    for (const test of unexpected) lines.push(`must not be skipped here (scripts/allowed-skips.txt): ${test.fullName}`);
    failed += unexpected.length;
  }
  if (options.runnerStatus !== 0 && failed === 0) {
    lines.push(`vitest ended with status ${options.runnerStatus} though no test failed: see above`);
    failed = 1;
  }
  lines.push(`${passed} passed, ${failed} failed, ${skipped.length} skipped`);
  return { lines, ok: failed === 0 && passed > 0 };
}
