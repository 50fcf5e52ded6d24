// The whole way from a connection to a running stub: try; where the stub is missing, install it; try once more.
import { codeOf, RemoteError } from "../../protocol/errors.js";
import type { Transport } from "../ssh/transport.js";
import type { StubIdentity } from "../tunnel/link.js";
import type { StubFile } from "./manifest.js";
import type { ProbeFacts } from "./parse.js";
import { probe } from "./probe.js";
import { start } from "./start.js";
import { upload } from "./upload.js";

export interface BootstrapOptions {
  /** As configured, `~/` allowed. */
  installRoot: string;
  stub: StubFile;
  signal?: AbortSignal | undefined;
  /** One line for people, each time something happens. */
  onProgress?: (text: string) => void;
}

export interface Bootstrapped {
  identity: StubIdentity;
  /** The install root, absolute. */
  root: string;
  uploaded: boolean;
  started: boolean;
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
    return { identity, root: facts.root, uploaded, started: false };
  }
  if (!uploaded && !usable) throw new RemoteError("stub_missing", `no usable stub is installed in ${facts.root}`);
  if (identity !== null && !outdated) {
    return { identity, root: facts.root, uploaded, started: false };
  }
  if (identity === null) {
    options.onProgress?.("starting the stub");
    return { ...(await start(transport, options)), uploaded };
  }
  // Whatever runs under it: commands belong to their helpers, and whoever follows them goes on at the new one.
  options.onProgress?.(`stub ${options.stub.version} takes over from ${identity.version}`);
  return { ...(await start(transport, { ...options, replaces: identity.instanceID })), uploaded };
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

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}
