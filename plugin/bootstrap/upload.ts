// The one file onto the host, over the stdin of an exec channel: no sftp, scp, base64 or python is needed there.
import { RemoteError } from "../../protocol/errors.js";
import type { Transport } from "../ssh/transport.js";
import { abortError, orAborted } from "../waiting/abort.js";
import { Conversation } from "./conversation.js";
import { explainRoot } from "./install-root.js";
import type { StubFile } from "./manifest.js";
import { hostScript } from "./script.js";

export interface UploadOptions {
  installRoot: string;
  stub: StubFile;
  signal?: AbortSignal | undefined;
  /** Bytes handed to the connection so far, of all. */
  onProgress?: (sent: number, size: number) => void;
}

/** Room for logs and state beside the file and what it unpacks, KiB. */
const SLACK_KIB = 16 * 1024;

/**
 * Writes under a temporary name, checks the hash on the host, syncs, renames; a stub that runs is not disturbed.
 * Throws `no_space`, `no_inodes`, `noexec`, `address_space_limited`, `platform_unsupported`, `upload_corrupt`,
 * `install_failed`, `connection_lost`, `aborted`; nothing half-made is left behind in any of these.
 */
export async function upload(transport: Transport, options: UploadOptions): Promise<void> {
  const { stub, signal } = options;
  const script = hostScript("upload", options.installRoot, {
    version: stub.version,
    sha256: stub.sha256,
    size: stub.size,
    need_kib: Math.ceil((stub.size + stub.unpackedSize) / 1024) + SLACK_KIB,
  });
  try {
    await using conversation = await Conversation.open(transport, script, signal);
    await conversation.waitFor("ready");
    await send(conversation, options);
    conversation.stdin.end();
    await conversation.finish();
  } catch (error) {
    throw explainRoot(error, options.installRoot);
  }
}

async function send(conversation: Conversation, options: UploadOptions): Promise<void> {
  const { stub, signal } = options;
  const { stdin } = conversation;
  // A script that ends early (a full disk) is told by its own error, not by a stream that takes no more.
  let isOver = false;
  const settle = () => {
    isOver = true;
  };
  const over = conversation.waitFor("done").then(settle, settle);
  let sent = 0;
  options.onProgress?.(0, stub.size);
  for await (const chunk of stub.open()) {
    if (signal?.aborted) throw abortError(signal);
    if (!(chunk instanceof Buffer)) throw new RemoteError("internal", "the stub's file was not read as bytes");
    if (isOver || !stdin.writable) return;
    if (!stdin.write(chunk)) await orAborted(Promise.race([drained(stdin), over]), signal);
    sent += chunk.length;
    options.onProgress?.(Math.min(sent, stub.size), stub.size);
  }
}

function drained(stream: NodeJS.WritableStream): Promise<void> {
  return new Promise((resolve) => {
    const events = ["drain", "close", "error"];
    const onAny = () => {
      for (const event of events) stream.off(event, onAny);
      resolve();
    };
    for (const event of events) stream.on(event, onAny);
  });
}
