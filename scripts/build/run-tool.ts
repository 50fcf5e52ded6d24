// Runs a compiler or another tool of the build; what it printed is part of the error.
import { execFile } from "node:child_process";
import { readdir } from "node:fs/promises";
import { join } from "node:path";

interface RunOptions {
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  /** Given to the tool on stdin. */
  input?: string;
}

/** stdout of the tool. Rejects with what it printed when it fails or is not there. */
export function runTool(file: string, args: string[], { cwd, env, input }: RunOptions = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(file, args, { cwd, env, maxBuffer: 16 * 1024 * 1024 }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${file} failed: ${error.message}\n${stderr}${stdout}`, { cause: error }));
    });
    child.stdin?.end(input);
  });
}

/** Paths of the files in `directory` with one of these endings, sorted. */
export async function filesIn(directory: string, ...endings: string[]): Promise<string[]> {
  const names = await readdir(directory);
  return names
    .filter((name) => endings.some((ending) => name.endsWith(ending)))
    .sort()
    .map((name) => join(directory, name));
}
