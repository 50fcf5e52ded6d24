// `npm run build`: dist/plugin.js, dist/cli.js, the one file for hosts with its manifest, and the helper alone for arm64.
// Each expensive stage is cached by the content of its inputs below .cache/, so that a second build takes seconds.
// main.ts [--out DIR] [--stub-entry FILE]: the last one is for tests.
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { withBuildLock } from "./lock.js";
import { compileHelper } from "./native.js";
import { buildPluginBundles } from "./plugin-bundles.js";
import { replaceFile } from "./replace-file.js";
import { consoleLog, dropUnfinished, type StageContext } from "./stage.js";
import { buildStubFile } from "./stub-file.js";

const root = join(import.meta.dirname, "../..");
const { values } = parseArgs({ options: { out: { type: "string" }, "stub-entry": { type: "string" } } });
const outDir = resolve(values.out ?? join(root, "dist"));
const entry = resolve(values["stub-entry"] ?? join(root, "stub/main.ts"));
const log = consoleLog();

/** The stub for arm64 is still to come; the helper is driven alone there. */
async function buildArm64Helper(context: StageContext): Promise<void> {
  const helper = await compileHelper(context, root, "arm64");
  await replaceFile(join(outDir, "helper/linux-arm64/opencode-remote-ssh-helper"), await readFile(helper), 0o755);
}

await withBuildLock(join(root, ".cache"), async () => {
  const context = { cacheDir: join(root, ".cache/build"), log };
  await dropUnfinished(context.cacheDir);
  if (values["stub-entry"] === undefined) await buildPluginBundles({ root, outDir, log });
  if (values["stub-entry"] === undefined) await buildArm64Helper(context);
  const manifest = await buildStubFile({ root, outDir: join(outDir, "stub"), entry, context });
  for (const [platform, stub] of Object.entries(manifest.stubs)) {
    console.log(`${stub.file}: ${(stub.size / 1e6).toFixed(1)} MB for ${platform}, sha256 ${stub.sha256}`);
  }
});
