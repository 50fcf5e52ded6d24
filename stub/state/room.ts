// How much room the state has left: a disk that is nearly full is told before a save fails.
import { statfs } from "node:fs/promises";
import type { Problem } from "../../protocol/health.js";

/** Below this commands lose output and saves begin to fail. */
const BYTES = 64 * 1024 * 1024;
const INODES = 256;

/** Empty where there is enough, or where the file system does not say. */
export async function roomProblems(directory: string): Promise<Problem[]> {
  const { bavail, bsize, files, ffree } = await statfs(directory);
  const problems: Problem[] = [];
  if (bavail * bsize < BYTES) {
    const message = `${Math.floor((bavail * bsize) / 1024 / 1024)} MiB are free where the state and the logs are`;
    problems.push({ code: "disk_low", message, path: directory });
  }
  // A file system that makes inodes as it needs them counts none.
  if (files > 0 && ffree < INODES) {
    problems.push({ code: "inodes_low", message: `${ffree} inodes are free`, path: directory });
  }
  return problems;
}
