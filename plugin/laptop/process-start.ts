// When a process of this machine began, so that a pid that was given to another one is not taken for it.
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { codeOf } from "../../protocol/errors.js";

const run = promisify(execFile);

/** Text to be compared only with what this gave before, on the same machine; undefined where no such process lives. */
export async function processStart(pid: number): Promise<string | undefined> {
  return process.platform === "linux" ? await fromProc(pid) : await fromPs(pid);
}

/** Fields 3 (state) and 22 (clock ticks since boot) of /proc/PID/stat; the name before them may hold anything. */
async function fromProc(pid: number): Promise<string | undefined> {
  try {
    const text = await readFile(`/proc/${pid}/stat`, "latin1");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" || fields[0] === "X" ? undefined : fields[19];
  } catch (error) {
    if (codeOf(error) === "ENOENT" || codeOf(error) === "ESRCH") return undefined;
    throw error;
  }
}

async function fromPs(pid: number): Promise<string | undefined> {
  try {
    const { stdout } = await run("ps", ["-o", "lstart=", "-p", String(pid)], {
      env: { LC_ALL: "C", PATH: "/bin:/usr/bin" },
    });
    return stdout.trim() || undefined;
  } catch (error) {
    // ps says by its status that there is none
    if (typeof (error as { code?: unknown }).code === "number") return undefined;
    throw error;
  }
}
