// The public half of this installation's approver onto a host: only who can log in there may do that.
import type { Transport } from "../ssh/transport.js";
import { converse } from "./conversation.js";
import { hostScript } from "./script.js";

export interface RegisterOptions {
  installRoot: string;
  keyID: string;
  /** 32 raw bytes. */
  publicKey: Uint8Array;
  signal?: AbortSignal | undefined;
}

/** Writes state/approvers/<keyID>.pub as base64 with a newline, 0600. Doing it again is harmless. */
export async function registerApprover(transport: Transport, options: RegisterOptions): Promise<void> {
  const script = hostScript("approver", options.installRoot, {
    key_id: options.keyID,
    public_key: Buffer.from(options.publicKey).toString("base64"),
  });
  await converse(transport, script, { signal: options.signal, timeoutMs: 60_000 });
}
