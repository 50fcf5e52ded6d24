// What runs on a host, asked of the stub that is there: for `status`.
import type { CommandRecord } from "../../protocol/command.js";
import { codeOf, RemoteError } from "../../protocol/errors.js";
import type { Health } from "../../protocol/health.js";
import type { Workspace } from "../../protocol/workspace.js";
import type { StubClient } from "./client.js";

/** Ended commands that are shown. */
const RECENT = 10;
const RUNNING = 100;
/** Round trips that are measured; the quickest counts. */
const PINGS = 3;

export interface HostStatus {
  health: Health;
  /** Of one request and its answer, milliseconds. */
  latencyMs: number;
  workspaces: Workspace[];
  running: CommandRecord[];
  /** The latest that have ended, newest first. */
  recent: CommandRecord[];
}

export async function readHostStatus(client: StubClient, signal?: AbortSignal): Promise<HostStatus> {
  const [health, workspaces, running, latest] = await Promise.all([
    client.health(signal),
    client.workspaces(signal),
    client.commands({ state: "running", limit: RUNNING }, signal),
    client.commands({ limit: RECENT * 2 }, signal),
  ]).catch((error) => {
    if (codeOf(error) !== "not_found") throw error;
    throw new RemoteError("unsupported", `the stub on ${client.link.host} is older and cannot list its commands`, {
      hint: `opencode-remote-ssh setup ${client.link.host} brings the newer one`,
    });
  });
  let latencyMs = Number.POSITIVE_INFINITY;
  for (let ping = 0; ping < PINGS; ping++) {
    const began = performance.now();
    await client.health(signal);
    latencyMs = Math.min(latencyMs, performance.now() - began);
  }
  const recent = latest.filter(({ state }) => state !== "running" && state !== "queued").slice(0, RECENT);
  return { health, latencyMs, workspaces, running, recent };
}
