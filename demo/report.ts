// What the demo says, and what it holds itself to: every claim is a check, and one that fails is the exit status.

export interface Report {
  heading(text: string): void;
  line(text: string): void;
  /** Output of something else, indented. */
  quote(text: string): void;
  check(claim: string, holds: boolean): void;
  /** Prints the summary; true if all checks held. */
  end(): boolean;
}

export function createReport(write: (text: string) => void): Report {
  const checks: { claim: string; holds: boolean }[] = [];
  const mark = (holds: boolean) => (holds ? "ok  " : "FAIL");
  return {
    heading: (text) => write(`\n== ${text}\n`),
    line: (text) => write(`   ${text}\n`),
    quote: (text) => write(`${text.trimEnd().replace(/^/gm, "   | ")}\n`),
    check(claim, holds) {
      checks.push({ claim, holds });
      write(`   ${mark(holds)} ${claim}\n`);
    },
    end() {
      const held = checks.filter((check) => check.holds).length;
      write(`\n== Summary: ${held} of ${checks.length} held\n`);
      for (const { claim, holds } of checks) write(`   ${mark(holds)} ${claim}\n`);
      return checks.length > 0 && held === checks.length;
    },
  };
}
