// The whole way from a connection to a running stub: try; where the stub is missing, install it; try once more.
import { codeOf, RemoteError } from "../../protocol/errors.js";
import type { Transport } from "../ssh/transport.js";
import type { StubIdentity } from "../tunnel/link.js";
import type { StubFile } from "./manifest.js";
import type { ProbeFacts } from "./parse.js";
import { probe } from "./probe.js";
import { start } from "./start.js";
import { stop } from "./stop.js";
import { upload } from "./upload.js";

export interface BootstrapOptions {
  /** As configured, `~/` allowed. */
  installRoot: string;
  stub: StubFile;
  signal?: AbortSignal | undefined;
  /** One line for people, each time something happens. */
  onProgress?: (text: string) => void;
  /** Commands that run under this older stub; it is replaced only when there are none. Where it throws, it is kept. */
  runningCommands?: (identity: StubIdentity) => Promise<number>;
}

export interface Bootstrapped {
  identity: StubIdentity;
  /** The install root, absolute. */
  root: string;
  uploaded: boolean;
  started: boolean;
  /** True where the file on the host is ours and what runs is not older: nothing is left to do at the next connect. */
  current: boolean;
  /** For people: an older stub goes on because commands run under it. */
  notice?: string;
}

/** Throws what probe, upload and start throw, and `protocol_mismatch` where the host's stub is newer and incompatible. */
export async function bootstrap(transport: Transport, options: BootstrapOptions): Promise<Bootstrapped> {
  const facts = await probe(transport, options);
  refuseIncompatible(facts);
  try {
    return await attempt(transport, options, facts, false);
  } catch (error) {
    if (codeOf(error) !== "stub_missing") throw error;
    await install(transport, options);
    return await attempt(transport, options, facts, true);
  }
}

/** A stub that runs counts; the file on the disk only where none does that we can speak to. */
function refuseIncompatible({ binary, running }: ProbeFacts): void {
  const inUse = running.verdict === "same" || running.verdict === "newer";
  const version = running.verdict === "incompatible" ? running.identity?.version : binary.version;
  if (running.verdict === "incompatible" || (binary.verdict === "incompatible" && !inUse)) {
    throw new RemoteError("protocol_mismatch", `the host has stub ${version}, which speaks a newer protocol`);
  }
}

/** What to use of what is there now. Throws `stub_missing` where the file must be sent first. */
async function attempt(
  transport: Transport,
  options: BootstrapOptions,
  facts: ProbeFacts,
  uploaded: boolean,
): Promise<Bootstrapped> {
  const { identity, verdict } = facts.running;
  const usable = facts.binary.verdict === "same" || facts.binary.verdict === "newer";
  const outdated = verdict === "older" || facts.binary.verdict === "rebuilt";
  // A newer stub, running or on the disk, stays what it is: nothing is ever downgraded.
  if (identity !== null && (verdict === "newer" || facts.binary.verdict === "incompatible")) {
    return { identity, root: facts.root, uploaded, started: false, current: true };
  }
  if (!uploaded && !usable) throw new RemoteError("stub_missing", `no usable stub is installed in ${facts.root}`);
  if (identity !== null && !outdated) {
    return { identity, root: facts.root, uploaded, started: false, current: true };
  }
  if (identity !== null) {
    const busy = await commandsUnder(identity, options);
    if (busy > 0) {
      const notice = `stub ${identity.version} goes on: ${busy} command(s) run under it; ${options.stub.version} starts when they have ended`;
      options.onProgress?.(notice);
      return { identity, root: facts.root, uploaded, started: false, current: false, notice };
    }
    options.onProgress?.(`ending stub ${identity.version}, which is idle`);
    await stop(transport, options);
  }
  options.onProgress?.("starting the stub");
  return { ...(await start(transport, options)), uploaded, current: true };
}

async function install(transport: Transport, options: BootstrapOptions): Promise<void> {
  let shown = -1;
  await upload(transport, {
    ...options,
    onProgress: (sent, size) => {
      const tenths = Math.floor(sent / 100_000);
      if (tenths === shown && sent !== size) return;
      shown = tenths;
      options.onProgress?.(`uploading the stub ${megabytes(sent)}/${megabytes(size)} MB`);
    },
  });
}

async function commandsUnder(identity: StubIdentity, options: BootstrapOptions): Promise<number> {
  if (options.runningCommands === undefined) return 1;
  try {
    return await options.runningCommands(identity);
  } catch (error) {
    // Whoever cannot be asked may well be working.
    if (error instanceof Error) return 1;
    throw error;
  }
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}
