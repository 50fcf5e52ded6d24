// /proc/PID/stat, the one place where it is read: its second field, the name, may hold blanks and brackets.
import { readFileSync } from "node:fs";
import { codeOf } from "../protocol/errors.js";

export interface ProcessStat {
  parent: number;
  session: number;
  /** Field 22: clock ticks since boot. With the pid it names one process until the next boot. */
  startTime: string;
}

/** Undefined where no such process lives; a zombie does not live. */
export function processStat(pid: number): ProcessStat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    if (fields[0] === "Z" || fields[0] === "X") return undefined;
    return { parent: Number(fields[1]), session: Number(fields[3]), startTime: fields[19] ?? "" };
  } catch (error) {
    if (codeOf(error) === "ENOENT" || codeOf(error) === "ESRCH") return undefined;
    throw error;
  }
}
