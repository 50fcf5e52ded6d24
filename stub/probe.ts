// `--probe`: does every part of the one file work on this host?
import { execFile } from "node:child_process";
import { access, constants } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Enforcement } from "../protocol/health.js";
import { PACKAGE_VERSION } from "../protocol/version.js";
import { enforcementAt, findLevels } from "./confinement/levels.js";
import { checkedHelper } from "./helper-binary.js";
import { type PtyProbe, probePty } from "./pty/probe.js";

const run = promisify(execFile);

interface PartProbe {
  ok: boolean;
  reason?: string;
}

export interface Probe {
  ok: boolean;
  version: string;
  node: string;
  pty: PtyProbe;
  helper: PartProbe;
  rg: PartProbe;
  enforcement: Enforcement;
}

/** `parts`: the directory with `helper`, `rg` and `pty.node`. Never throws. */
export async function probe(parts: string): Promise<Probe> {
  const [pty, helper, rg, levels] = await Promise.all([
    probePty(join(parts, "pty.node")),
    attempt(() => access(checkedHelper(join(parts, "helper")), constants.X_OK)),
    attempt(() => run(join(parts, "rg"), ["--version"], { timeout: 10_000 })),
    findLevels(join(parts, "helper")),
  ]);
  const ok = pty.ok && helper.ok && rg.ok;
  return {
    ok,
    version: PACKAGE_VERSION,
    node: process.version,
    pty,
    helper,
    rg,
    enforcement: enforcementAt(levels, true),
  };
}

async function attempt(work: () => Promise<unknown>): Promise<PartProbe> {
  try {
    await work();
    return { ok: true };
  } catch (error) {
    return { ok: false, reason: error instanceof Error ? error.message : String(error) };
  }
}
