// `npm run build`: dist/plugin.js, dist/cli.js and the one file for hosts, with its manifest.
// Each expensive stage is cached by the content of its inputs below .cache/, so that a second build takes seconds.
import { join } from "node:path";
import { withBuildLock } from "./lock.js";
import { buildPluginBundles } from "./plugin-bundles.js";
import { consoleLog } from "./stage.js";

const root = join(import.meta.dirname, "../..");
const log = consoleLog();

await withBuildLock(join(root, ".cache"), async () => {
  await buildPluginBundles({ root, outDir: join(root, "dist"), log });
});
