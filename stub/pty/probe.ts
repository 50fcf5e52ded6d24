// `--probe`: does a terminal open here? Runs in the built file only, where node-pty's native part lies beside the stub.
import { usePtyParts } from "./native.js";

export interface PtyProbe {
  ok: boolean;
  /** What failed, for people. */
  reason?: string;
}

/**
 * Opens a terminal, lets `sh` compute in it and reads the answer. Never throws; waits at most `timeoutMs`.
 * `partsDir`: the directory with `pty.node` (OPENCODE_REMOTE_SSH_PARTS).
 */
export async function probePty(partsDir: string, timeoutMs = 5000): Promise<PtyProbe> {
  try {
    usePtyParts(partsDir);
    const { spawn } = await import("node-pty");
    const terminal = spawn("/bin/sh", ["-c", "test -t 0 && echo $((6*7))"], {
      cols: 80,
      rows: 24,
      cwd: "/",
      env: { PATH: "/usr/bin:/bin" },
    });
    let output = "";
    terminal.onData((text) => {
      output += text;
    });
    let resolve: (exit: number | undefined) => void = () => undefined;
    const ended = new Promise<number | undefined>((settle) => {
      resolve = settle;
    });
    const timer = setTimeout(() => {
      terminal.kill("SIGKILL");
      resolve(undefined);
    }, timeoutMs);
    terminal.onExit(({ exitCode }) => resolve(exitCode));
    const exit = await ended;
    clearTimeout(timer);
    if (exit === undefined) return { ok: false, reason: `no answer within ${timeoutMs} ms` };
    if (exit === 0 && output.trim() === "42") return { ok: true };
    return { ok: false, reason: `sh ended with ${exit} and printed ${JSON.stringify(output)}` };
  } catch (error) {
    return { ok: false, reason: error instanceof Error ? error.message : String(error) };
  }
}
