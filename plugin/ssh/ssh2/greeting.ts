// The clear beginning of a connection, read beside ssh2: what the server calls itself and which algorithms it offers.
// ssh2 keeps both to itself, and errors that name them save a person an `ssh -v`.
import type { Readable } from "node:stream";
import { printable } from "../../config/destination.js";
import type { AlgorithmKind } from "./errors.js";

/** More than any identification and key exchange message; reading ends there. */
const LIMIT = 64 * 1024;

export interface Greeting {
  /** Bytes that came so far, up to the limit. */
  bytes: number;
  /** First line, for messages. */
  start: string;
  /** `SSH-2.0-OpenSSH_9.2`; undefined until it came. */
  software: string | undefined;
  offers: Partial<Record<AlgorithmKind, string[]>> | undefined;
}

/** Reads along on a stream that is paused until ssh2 resumes it. */
export function readGreeting(stream: Readable): Greeting {
  const greeting: Greeting = { bytes: 0, start: "", software: undefined, offers: undefined };
  let data = Buffer.alloc(0);
  const listener = (chunk: Buffer) => {
    data = Buffer.concat([data, chunk]);
    greeting.bytes = data.length;
    const text = data.toString("latin1");
    greeting.start = printable((text.split("\n", 1)[0] ?? "").slice(0, 80).trim());
    const line = /^SSH-(?:2\.0|1\.99)-[^\n]*\n/m.exec(text);
    if (line !== null) {
      greeting.software = printable(line[0].trim().slice(0, 100));
      greeting.offers = parseKeyExchange(data.subarray(line.index + line[0].length));
    }
    if (greeting.offers !== undefined || data.length > LIMIT) stream.removeListener("data", listener);
  };
  stream.on("data", listener);
  return greeting;
}

const SSH_MSG_KEXINIT = 20;

/** Undefined until the whole message is there. */
function parseKeyExchange(packet: Buffer): Greeting["offers"] {
  if (packet.length < 6 || packet.length < 4 + packet.readUInt32BE(0) || packet[5] !== SSH_MSG_KEXINIT)
    return undefined;
  let at = 6 + 16;
  const list = (): string[] => {
    if (at + 4 > packet.length) return [];
    const length = packet.readUInt32BE(at);
    at += 4 + length;
    return printable(packet.toString("latin1", at - length, at)).split(",");
  };
  const [exchange, hostKey, cipher, , mac, , compression] = [list(), list(), list(), list(), list(), list(), list()];
  return { "key exchange": exchange, "host key": hostKey, cipher, mac, compression };
}
