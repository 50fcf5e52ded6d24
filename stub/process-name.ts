// A process by a name that is never given twice: its pid, its start time, and the boot in which both are counted.
import { readFileSync } from "node:fs";
import { type Static, Type } from "typebox";
import { codeOf } from "../protocol/errors.js";

export const ProcessName = Type.Object({
  pid: Type.Integer(),
  /** Field 22 of /proc/PID/stat. */
  startTime: Type.String(),
  boot: Type.String(),
});
export type ProcessName = Static<typeof ProcessName>;

export function processName(pid: number): ProcessName | undefined {
  const startTime = startTimeOf(pid);
  return startTime === undefined ? undefined : { pid, startTime, boot: bootID() };
}

export function isAlive({ pid, startTime, boot }: ProcessName): boolean {
  return boot === bootID() && startTimeOf(pid) === startTime;
}

/** Undefined where no such process lives; a zombie does not live. */
function startTimeOf(pid: number): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? undefined : fields[19];
  } catch (error) {
    if (codeOf(error) === "ENOENT" || codeOf(error) === "ESRCH") return undefined;
    throw error;
  }
}

function bootID(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
}
