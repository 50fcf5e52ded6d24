// Which shell runs a command's text: bash where there is one, else sh.
import { accessSync, constants, statSync } from "node:fs";
import { isAbsolute, join } from "node:path";

const USUAL = ["/bin", "/usr/bin", "/usr/local/bin", "/run/current-system/sw/bin"];

/** Absolute path of bash, looked for on the PATH of the login environment and in the usual places; else `/bin/sh`. */
export function findShell(env: Record<string, string>): string {
  const folders = (env.PATH ?? "").split(":").filter((folder) => isAbsolute(folder));
  for (const folder of [...folders, ...USUAL]) {
    const path = join(folder, "bash");
    if (isExecutable(path)) return path;
  }
  return "/bin/sh";
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
