// The stub's program as one minified CommonJS file, which is what a single executable application of Node starts fastest.
import { build } from "esbuild";

interface StubProgramOptions {
  root: string;
  /** TypeScript file that becomes the stub: stub/main.ts. */
  entry: string;
  version: string;
  /** Hex; the stub starts no other helper. */
  helperSha256: string;
}

/** The text of the program. */
export async function bundleStubProgram({ root, entry, version, helperSha256 }: StubProgramOptions): Promise<string> {
  const result = await build({
    absWorkingDir: root,
    entryPoints: [entry],
    bundle: true,
    platform: "node",
    target: "node24",
    format: "cjs",
    minify: true,
    legalComments: "none",
    logLevel: "warning",
    write: false,
    define: { __PACKAGE_VERSION__: JSON.stringify(version), __HELPER_SHA256__: JSON.stringify(helperSha256) },
  });
  const [output] = result.outputFiles;
  if (output === undefined) throw new Error("esbuild made no output");
  return output.text;
}
