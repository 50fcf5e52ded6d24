// A WebSocket on a stream of the link: the upgrade is asked for here, the frames are ws's. ws's own client would dial by itself,
// through node:http, which under Bun takes no connection of ours.
import { createHash, randomBytes } from "node:crypto";
import type { Duplex } from "node:stream";
import { WebSocket } from "ws";
import { RemoteError } from "../../protocol/errors.js";
import { abortError } from "../waiting/abort.js";

/** What RFC 6455 hashes with the key. */
const ACCEPT = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const HEAD_LIMIT = 64 * 1024;
/** Of one frame from the stub, in bytes. */
const FRAME_LIMIT = 16 * 1024 * 1024;

/** For the other side to answer a close, in milliseconds. */
const CLOSE_MS = 5000;

/** Not in ws's types; @fastify/websocket makes its clients the same way. */
interface Adoptable {
  _isServer: boolean;
  setSocket(socket: Duplex, head: Buffer, options: { maxPayload: number; skipUTF8Validation: boolean }): void;
}

const Adopting = WebSocket as unknown as new (address: null, protocols: undefined, options: object) => WebSocket;

/** Open. Listeners that are added in the same turn miss nothing. Rejects with what the stub refuses, `connection_lost`, `aborted`. */
export async function upgradeToWebSocket(
  stream: Duplex,
  path: string,
  headers: Record<string, string>,
  signal: AbortSignal,
): Promise<WebSocket> {
  const key = randomBytes(16).toString("base64");
  const lines = [
    `GET ${path} HTTP/1.1`,
    "host: stub",
    "connection: upgrade",
    "upgrade: websocket",
    "sec-websocket-version: 13",
    `sec-websocket-key: ${key}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ];
  stream.write(`${lines.join("\r\n")}\r\n\r\n`);
  try {
    const { head, rest } = await readHead(stream, signal);
    const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1]);
    if (status !== 101) throw refusal(status, rest);
    const accept = /^sec-websocket-accept: *(\S+)\r?$/im.exec(head)?.[1];
    if (
      accept !==
      createHash("sha1")
        .update(key + ACCEPT)
        .digest("base64")
    ) {
      throw new RemoteError("internal", "the stub answered the upgrade of another request");
    }
    const socket = new Adopting(null, undefined, { autoPong: true, maxPendingAutoPongs: 16, closeTimeout: CLOSE_MS });
    const adoptable = socket as unknown as Adoptable;
    adoptable._isServer = false;
    adoptable.setSocket(stream, rest, { maxPayload: FRAME_LIMIT, skipUTF8Validation: false });
    // It was read by hand until here, which a stream remembers.
    stream.resume();
    return socket;
  } catch (error) {
    stream.destroy();
    throw error;
  }
}

/** The answer's head, and what came with it. */
function readHead(stream: Duplex, signal: AbortSignal): Promise<{ head: string; rest: Buffer }> {
  return new Promise((resolve, reject) => {
    let seen = Buffer.alloc(0);
    const stop = () => {
      stream.off("readable", onReadable);
      stream.off("error", onError);
      stream.off("close", onClose);
      stream.off("end", onClose);
      signal.removeEventListener("abort", onAbort);
    };
    const fail = (error: Error) => {
      stop();
      reject(error);
    };
    const onError = (error: Error) => fail(new RemoteError("connection_lost", error.message, { cause: error }));
    const onClose = () => fail(new RemoteError("connection_lost", "the stream ended before the upgrade"));
    const onAbort = () => fail(abortError(signal));
    const onReadable = () => {
      for (let chunk = stream.read() as Buffer | null; chunk !== null; chunk = stream.read() as Buffer | null) {
        seen = Buffer.concat([seen, chunk]);
      }
      const end = seen.indexOf("\r\n\r\n");
      if (end >= 0) {
        stop();
        resolve({ head: seen.toString("latin1", 0, end), rest: seen.subarray(end + 4) });
      } else if (seen.length > HEAD_LIMIT)
        fail(new RemoteError("internal", "the stub's answer has no end of its head"));
    };
    stream.on("readable", onReadable);
    stream.once("error", onError);
    stream.once("close", onClose);
    stream.once("end", onClose);
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
  });
}

/** Refusals are short: their body came with the head, or it is told by the status alone. */
function refusal(status: number, body: Buffer): RemoteError {
  try {
    return RemoteError.fromWire(JSON.parse(body.toString("utf8")), status);
  } catch (error) {
    if (error instanceof SyntaxError) return RemoteError.fromWire(undefined, status);
    throw error;
  }
}
