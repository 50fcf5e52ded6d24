// The user's own OpenCode: found on the PATH, asked for its version.
import { execFile } from "node:child_process";
import { codeOf, RemoteError } from "../../protocol/errors.js";

/** The major version whose plugin API we speak. */
const MAJOR = 1;
const VERSION_TIMEOUT_MS = 30_000;

export interface OpenCode {
  /** To be spawned. */
  command: string;
  version: string;
}

/** Throws `opencode_missing` and `opencode_version`. */
export async function findOpenCode(env: Record<string, string | undefined>, signal?: AbortSignal): Promise<OpenCode> {
  const command = "opencode";
  const text = await versionOf(command, env, signal);
  const version = /\d+\.\d+\.\d+\S*/.exec(text)?.[0];
  if (version === undefined)
    throw new RemoteError("opencode_version", `${command} --version says ${JSON.stringify(text)}`);
  if (Number(version.split(".")[0]) !== MAJOR) {
    throw new RemoteError("opencode_version", `this is OpenCode ${version}; ${MAJOR}.x is needed`);
  }
  return { command, version };
}

function versionOf(command: string, env: Record<string, string | undefined>, signal?: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { env, signal, timeout: VERSION_TIMEOUT_MS, encoding: "utf8" as const };
    execFile(command, ["--version"], options, (error, stdout, stderr) => {
      if (error === null) return resolve(stdout.trim());
      if (signal?.aborted) return reject(new RemoteError("aborted", "aborted"));
      if (codeOf(error) === "ENOENT") return reject(new RemoteError("opencode_missing", "opencode is not on the PATH"));
      const reason = stderr.trim().split("\n")[0] || error.message;
      reject(new RemoteError("opencode_missing", `opencode does not run: ${reason}`, { cause: error }));
    });
  });
}
