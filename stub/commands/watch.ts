// Whether a helper lives, and what a command that this stub does not hear of has come to (after a restart of the stub,
// or of the spawner's socket). Polled: such commands are few, and nothing else tells.
import { existsSync, readFileSync, statSync, utimesSync } from "node:fs";
import { processStat } from "../process-stat.js";
import { type RunFile, readRunFile, SUFFIX } from "./files.js";
import type { Marks } from "./marks.js";

const WATCH_MS = 250;

/** A pid alone is reused sooner or later; with its start time it names one process until the next boot. */
export interface ProcessName {
  pid: number;
  /** Field 22 of /proc/PID/stat. */
  startTime: string;
}

export function isAlive({ pid, startTime }: ProcessName): boolean {
  return processStat(pid)?.startTime === startTime;
}

/** Of this boot; empty where the kernel does not say. */
export function bootID(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
  } catch {
    return "";
  }
}

/** What the disk says of a command by now. */
export interface OnDisk {
  /** Its helper is. */
  isAlive: boolean;
  file: RunFile | undefined;
  /** Bytes that stdout and stderr have. */
  ends: [number, number];
  /** It has asked for something: its helper listens. */
  asks: boolean;
}

export function lookAtDisk(base: string, helper: ProcessName | undefined): OnDisk {
  // in this order: a helper that ends in between has written its end before it was seen dead
  const alive = helper !== undefined && isAlive(helper);
  const file = readRunFile(base);
  const ends: [number, number] = [logEnd(base, 0, file?.marks[0]), logEnd(base, 1, file?.marks[1])];
  return { isAlive: alive, file, ends, asks: alive && existsSync(base + SUFFIX.asks) };
}

/**
 * When a helper that nobody saw die was last heard of, milliseconds: its last write, or what a stub noted that saw it die.
 * So every stub says the same, however often one is started.
 */
export function lastHeardOf(base: string): number {
  const times = Object.values(SUFFIX).map((suffix) => statSync(base + suffix, { throwIfNoEntry: false })?.mtimeMs ?? 0);
  return Math.round(Math.max(...times)) || Date.now();
}

/** It is seen dead now. For the stubs to come its record was changed now. */
export function noteDeath(base: string): number {
  const now = Date.now();
  try {
    utimesSync(base + SUFFIX.run, now / 1000, now / 1000);
  } catch {
    // a disk that takes nothing: the next stub says when it wrote last
  }
  return now;
}

/** Looks again and again, until it is stopped. */
export class DiskWatch {
  readonly #timer: NodeJS.Timeout;

  constructor(look: () => void) {
    this.#timer = setInterval(look, WATCH_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

/** 0 where the log was never made. A ring tells by its marks, a plain log by its size. */
function logEnd(base: string, stream: 0 | 1, marks: Marks | undefined): number {
  if (marks !== undefined) return marks.end;
  return statSync(base + (stream === 0 ? SUFFIX.stdout : SUFFIX.stderr), { throwIfNoEntry: false })?.size ?? 0;
}
