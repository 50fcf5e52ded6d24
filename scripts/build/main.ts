// `npm run build`: dist/plugin.js, dist/cli.js and the one file for hosts, with its manifest.
// Each expensive stage is cached by the content of its inputs below .cache/, so that a second build takes seconds.
// main.ts [--out DIR] [--stub-entry FILE]: the last one is for tests.
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { withBuildLock } from "./lock.js";
import { buildPluginBundles } from "./plugin-bundles.js";
import { consoleLog, dropUnfinished } from "./stage.js";
import { buildStubFile } from "./stub-file.js";

const root = join(import.meta.dirname, "../..");
const { values } = parseArgs({ options: { out: { type: "string" }, "stub-entry": { type: "string" } } });
const outDir = resolve(values.out ?? join(root, "dist"));
const entry = resolve(values["stub-entry"] ?? join(root, "stub/main.ts"));
const log = consoleLog();

await withBuildLock(join(root, ".cache"), async () => {
  const context = { cacheDir: join(root, ".cache/build"), log };
  await dropUnfinished(context.cacheDir);
  if (values["stub-entry"] === undefined) await buildPluginBundles({ root, outDir, log });
  const manifest = await buildStubFile({ root, outDir: join(outDir, "stub"), entry, context });
  for (const [platform, stub] of Object.entries(manifest.stubs)) {
    console.log(`${stub.file}: ${(stub.size / 1e6).toFixed(1)} MB for ${platform}, sha256 ${stub.sha256}`);
  }
});
