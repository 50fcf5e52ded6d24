// From the installed file to a running stub, and its identity, read over SSH.
import type { Transport } from "../ssh/transport.js";
import type { StubIdentity } from "../tunnel/link.js";
import { converse } from "./conversation.js";
import { explainRoot } from "./install-root.js";
import { parseIdentity } from "./parse.js";
import { hostScript } from "./script.js";

export interface StartOptions {
  installRoot: string;
  /** How long a started stub may take to listen. */
  waitSeconds?: number;
  /** Where this instance runs, the installed file takes over from it. */
  replaces?: string;
  signal?: AbortSignal | undefined;
}

export interface Started {
  identity: StubIdentity;
  /** Absolute. */
  root: string;
  /** False: it ran already, or somebody else started it in the meantime. */
  started: boolean;
}

/** Unpacking onto a slow network file system takes its time. */
const UNPACK_MS = 180_000;

/**
 * Starts the stub unless it runs. Several at once start one. Throws `stub_missing`, `start_failed` (with the tail of
 * the log in `details.log`) and what the launcher found: `noexec`, `no_space`, `no_inodes`, `address_space_limited`…
 */
export async function start(transport: Transport, options: StartOptions): Promise<Started> {
  const waitSeconds = options.waitSeconds ?? 20;
  const script = hostScript("start", options.installRoot, {
    wait_seconds: waitSeconds,
    replaces: options.replaces ?? "",
  });
  try {
    const frames = await converse(transport, script, {
      signal: options.signal,
      timeoutMs: UNPACK_MS + 2 * waitSeconds * 1000,
    });
    return {
      identity: parseIdentity(frames),
      root: frames.get("root")?.text.trim() ?? options.installRoot,
      started: frames.get("started")?.text.trim() === "yes",
    };
  } catch (error) {
    throw explainRoot(error, options.installRoot);
  }
}
