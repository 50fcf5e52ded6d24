// What is on the host already? One exec channel, nothing changed there.
import { PROTOCOL } from "../../protocol/version.js";
import type { Transport } from "../ssh/transport.js";
import { converse } from "./conversation.js";
import type { StubFile } from "./manifest.js";
import { type ProbeFacts, parseProbe } from "./parse.js";
import { hostScript } from "./script.js";

export const PROBE_TIMEOUT_MS = 60_000;

export interface ProbeOptions {
  /** As configured, `~/` allowed. */
  installRoot: string;
  stub: StubFile;
  signal?: AbortSignal | undefined;
}

export async function probe(transport: Transport, options: ProbeOptions): Promise<ProbeFacts> {
  const script = hostScript("probe", options.installRoot, {
    version: options.stub.version,
    protocol_major: PROTOCOL.major,
    sha256: options.stub.sha256,
  });
  return parseProbe(await converse(transport, script, { signal: options.signal, timeoutMs: PROBE_TIMEOUT_MS }));
}
