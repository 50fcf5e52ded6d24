// Resident and anonymous memory of a process of this machine, in MB, from /proc.
import { readFile } from "node:fs/promises";

export interface Memory {
  rss: number;
  anonymous: number;
}

export async function memoryOf(pid: number): Promise<Memory> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  const field = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? Number.NaN) / 1024;
  return { rss: field("VmRSS"), anonymous: field("RssAnon") };
}

/** The most that a process holds while something runs, sampled every 20 ms. */
export async function peakDuring(pid: number, run: () => Promise<unknown>): Promise<number> {
  let peak = (await memoryOf(pid)).rss;
  const timer = setInterval(() => {
    memoryOf(pid).then((memory) => {
      peak = Math.max(peak, memory.rss);
    }, console.error);
  }, 20);
  try {
    await run();
  } finally {
    clearInterval(timer);
  }
  return Math.max(peak, (await memoryOf(pid)).rss);
}
