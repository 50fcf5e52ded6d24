// A process by a name that is never given twice: its pid, its start time, and the boot in which both are counted.
import { readFileSync } from "node:fs";
import { type Static, Type } from "typebox";
import { processStat } from "./process-stat.js";

export const ProcessName = Type.Object({
  pid: Type.Integer(),
  /** Field 22 of /proc/PID/stat. */
  startTime: Type.String(),
  boot: Type.String(),
});
export type ProcessName = Static<typeof ProcessName>;

export function processName(pid: number): ProcessName | undefined {
  const startTime = processStat(pid)?.startTime;
  return startTime === undefined ? undefined : { pid, startTime, boot: bootID() };
}

export function isAlive({ pid, startTime, boot }: ProcessName): boolean {
  return boot === bootID() && processStat(pid)?.startTime === startTime;
}

function bootID(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
}
