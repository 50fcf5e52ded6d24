// One build at a time per checkout. The lock is the kernel's (flock), held by a child whose stdin is ours:
// when this process dies, however it dies, the child reads end of file and the lock is free.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";

/** Runs `work` while holding `<directory>/build.lock`; waits for another build to end. */
export async function withBuildLock<T>(directory: string, work: () => Promise<T>): Promise<T> {
  await mkdir(directory, { recursive: true });
  const file = join(directory, "build.lock");
  const holder = spawn("flock", [file, "sh", "-c", "echo locked; exec cat >/dev/null"], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = once(holder, "exit");
  try {
    await Promise.race([
      once(holder.stdout, "data"),
      ended.then(([code]) => Promise.reject(new Error(`flock ${file} ended with status ${code}`))),
    ]);
    return await work();
  } finally {
    holder.stdin.end();
    await ended;
  }
}
