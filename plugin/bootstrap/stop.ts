// Ends the stub on a host, by the pid and start time that it recorded. Its running commands go on by themselves.
import type { Transport } from "../ssh/transport.js";
import { converse } from "./conversation.js";
import { hostScript } from "./script.js";

export interface StopOptions {
  installRoot: string;
  /** SIGKILL where SIGTERM was not enough. */
  force?: boolean;
  waitSeconds?: number;
  signal?: AbortSignal | undefined;
}

/** The pid that was ended, or null where none ran. Throws `timeout` when it does not end. */
export async function stop(transport: Transport, options: StopOptions): Promise<number | null> {
  const waitSeconds = options.waitSeconds ?? 15;
  const script = hostScript("stop", options.installRoot, {
    wait_seconds: waitSeconds,
    force: options.force === true ? "yes" : "no",
  });
  const frames = await converse(transport, script, {
    signal: options.signal,
    timeoutMs: 30_000 + 2 * waitSeconds * 1000,
  });
  const stopped = frames.get("stopped")?.text.trim() ?? "none";
  return stopped === "none" ? null : Number(stopped);
}
