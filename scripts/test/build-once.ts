// Vitest's global setup: tests that run the built files find them, even when vitest was started by hand.
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

export default function buildOnce(): void {
  const root = join(import.meta.dirname, "../..");
  if (existsSync(join(root, "dist/stub/manifest.json"))) return;
  execFileSync(process.execPath, [join(root, "node_modules/tsx/dist/cli.mjs"), "scripts/build/main.ts"], {
    cwd: root,
    stdio: "inherit",
  });
}
