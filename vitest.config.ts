// Unit tests lie beside their sources; test/ holds what runs real programs. The built file is made once if it is missing.
import { defineConfig } from "vitest/config";
import { LongFirst } from "./scripts/test/long-first.js";

export default defineConfig({
  test: {
    include: ["{plugin,stub,protocol,scripts,test,demo,bench}/**/*.test.ts"],
    exclude: ["**/node_modules/**", "dist/**", ".cache/**"],
    globalSetup: ["scripts/test/build-once.ts"],
    pool: "forks",
    maxWorkers: 2,
    sequence: { sequencer: LongFirst },
    testTimeout: 30_000,
    hookTimeout: 60_000,
    teardownTimeout: 20_000,
  },
});
