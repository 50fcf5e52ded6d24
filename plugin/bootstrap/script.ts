// The texts that run on a host: host/common.sh, one script beside it, and the values in front. They go to `sh` on
// stdin, so the login shell of the host (csh, fish, a wrapper) reads nothing but the word `sh`.
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "./package-root.js";
import { shellQuote } from "./shell-quote.js";

export type ScriptName = "probe" | "upload" | "start" | "stop" | "approver" | "attach";

export interface HostScript {
  name: ScriptName;
  /** Complete lines; the last one runs it all. */
  text: string;
  /** The random word of its frames. */
  nonce: string;
}

/** `installRoot` as configured: `~/` is expanded on the host. */
export function hostScript(
  name: ScriptName,
  installRoot: string,
  variables: Record<string, string | number> = {},
): HostScript {
  const nonce = randomBytes(16).toString("hex");
  const values = Object.entries({ nonce, install_root: installRoot, ...variables })
    .map(([key, value]) => `${key}=${shellQuote(String(value))}\n`)
    .join("");
  // A shell that reads its script byte by byte has read exactly to the end of this line when main begins; `exit` is
  // on it because what comes after may be an uploaded file.
  return { name, nonce, text: `${values}${source("common")}${source(name)}main; exit\n` };
}

const texts = new Map<string, string>();

function source(name: string): string {
  const known = texts.get(name);
  if (known !== undefined) return known;
  const text = readFileSync(join(packageRoot(), "plugin", "bootstrap", "host", `${name}.sh`), "utf8");
  texts.set(name, text);
  return text;
}
