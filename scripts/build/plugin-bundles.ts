// dist/plugin.js for OpenCode's Bun and dist/cli.js for Node 20: one ESM file each, with ssh2 inside.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type BuildOptions, build, type Plugin } from "esbuild";
import { replaceFile } from "./replace-file.js";
import type { BuildLog } from "./stage.js";

interface PluginBundleOptions {
  root: string;
  outDir: string;
  log: BuildLog;
}

const BUNDLES = [
  { entry: "plugin/index.ts", file: "plugin.js", executable: false },
  { entry: "plugin/cli/main.ts", file: "cli.js", executable: true },
];

export async function buildPluginBundles({ root, outDir, log }: PluginBundleOptions): Promise<void> {
  const { version } = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as { version: string };
  for (const bundle of BUNDLES) {
    const started = performance.now();
    const outfile = join(outDir, bundle.file);
    const { outputFiles } = await build({
      ...laptopOptions(root, version),
      entryPoints: [join(root, bundle.entry)],
      outfile,
      write: false,
      banner: { js: `${bundle.executable ? "#!/usr/bin/env node\n" : ""}${COMMONJS_BANNER}` },
    });
    for (const output of outputFiles) {
      await replaceFile(output.path, output.contents, bundle.executable ? 0o755 : 0o644);
    }
    log.stage(bundle.file, "built", performance.now() - started);
  }
}

// CommonJS packages inside an ESM file ask for node's own modules by require(), and where they lie.
const COMMONJS_BANNER = `import { createRequire as __createRequire } from "node:module";
import { fileURLToPath as __fileURLToPath } from "node:url";
const require = __createRequire(import.meta.url);
const __bundleFile = __fileURLToPath(import.meta.url);
const __bundleDirectory = __fileURLToPath(new URL(".", import.meta.url));`;

/** Options for what runs on the laptop: Node 20, or Bun inside OpenCode. */
function laptopOptions(root: string, version: string): BuildOptions {
  return {
    absWorkingDir: root,
    bundle: true,
    platform: "node",
    target: "node20",
    format: "esm",
    mainFields: ["module", "main"],
    legalComments: "none",
    logLevel: "warning",
    define: {
      __PACKAGE_VERSION__: JSON.stringify(version),
      __filename: "__bundleFile",
      __dirname: "__bundleDirectory",
    },
    plugins: [withoutNativeAddons],
  };
}

/** ssh2 works without its native code when requiring it throws; one file cannot carry an addon for every laptop. */
const withoutNativeAddons: Plugin = {
  name: "without-native-addons",
  setup(build) {
    build.onResolve({ filter: /^cpu-features$|\.node$/ }, (args) => ({ path: args.path, namespace: "native-addon" }));
    build.onLoad({ filter: /.*/, namespace: "native-addon" }, (args) => ({
      contents: `throw Object.assign(new Error(${JSON.stringify(`${args.path} is left out of the bundle`)}), { code: "MODULE_NOT_FOUND" });`,
      loader: "js",
    }));
  },
};
