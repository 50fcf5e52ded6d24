// `--probe`: does a terminal open here?
import { loadPtyAddon } from "./addon.js";
import { PtyProcess } from "./pty-process.js";

export interface PtyProbe {
  ok: boolean;
  /** What failed, for people. */
  reason?: string;
}

/** Opens a terminal, lets `sh` compute in it and reads the answer. Never throws; waits at most `timeoutMs`. `addon`: path of `pty.node`. */
export async function probePty(addon: string, timeoutMs = 5000): Promise<PtyProbe> {
  try {
    let output = "";
    let pid = 0;
    let timer: NodeJS.Timeout | undefined;
    const exit = await new Promise<number | undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), timeoutMs);
      const terminal = new PtyProcess(loadPtyAddon(addon), {
        file: "/bin/sh",
        args: ["-c", "test -t 0 && echo $((6*7))"],
        env: { PATH: "/usr/bin:/bin" },
        cwd: "/",
        size: { cols: 80, rows: 24 },
        onData: (bytes) => {
          output += bytes.toString("utf8");
        },
        onExit: ({ code }) => resolve(code),
      });
      pid = terminal.pid;
    });
    clearTimeout(timer);
    if (exit === undefined) {
      process.kill(pid, "SIGKILL");
      return { ok: false, reason: `no answer within ${timeoutMs} ms` };
    }
    if (exit === 0 && output.trim() === "42") return { ok: true };
    return { ok: false, reason: `sh ended with ${exit} and printed ${JSON.stringify(output)}` };
  } catch (error) {
    return { ok: false, reason: error instanceof Error ? error.message : String(error) };
  }
}
