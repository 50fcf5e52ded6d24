// Identity files: their public half where it can be had without a passphrase, and opening them.
import { readFile } from "node:fs/promises";
import type { ParsedKey } from "ssh2";
import ssh2 from "ssh2";
import { codeOf } from "../../../protocol/errors.js";

export type KeyFile =
  /** `publicKey` undefined: nothing tells it before the file is opened (an old encrypted PEM without a `.pub` beside it). */
  | { kind: "key"; file: string; publicKey: Buffer | undefined; encrypted: boolean; text: Buffer }
  /** Only the `.pub` is there: the agent may have the rest. */
  | { kind: "public"; file: string; publicKey: Buffer }
  | { kind: "unusable"; file: string; reason: string; unreadable: boolean };

export async function readKeyFile(file: string): Promise<KeyFile> {
  const beside = await readPublic(`${file}.pub`);
  let text: Buffer;
  try {
    text = await readFile(file);
  } catch (error) {
    if (beside !== undefined) return { kind: "public", file, publicKey: beside };
    return { kind: "unusable", file, reason: `cannot be read (${codeOf(error)})`, unreadable: true };
  }
  const asPublic = parsePublic(text);
  if (asPublic !== undefined) return { kind: "public", file, publicKey: asPublic };
  const inside = openSshHeader(text);
  const encrypted = inside?.encrypted ?? pemEncrypted(text);
  if (encrypted) return { kind: "key", file, publicKey: inside?.publicKey ?? beside, encrypted, text };
  const key = parsePrivate(text);
  if (key === undefined) {
    return { kind: "unusable", file, reason: "not a private key that ssh2 can use", unreadable: false };
  }
  return { kind: "key", file, publicKey: key.getPublicSSH(), encrypted, text };
}

/** Undefined: the passphrase is wrong, or missing, or the file is of a kind that ssh2 does not have. */
export function parsePrivate(text: Buffer, passphrase?: string): ParsedKey | undefined {
  const parsed = ssh2.utils.parseKey(text, passphrase);
  // for an OpenSSH key ssh2 answers with a list of one, whatever its types say
  const key = Array.isArray(parsed) ? (parsed[0] as ParsedKey) : parsed;
  return key instanceof Error || !key.isPrivateKey() ? undefined : key;
}

/** True for a public key of a kind that ssh2 can offer. */
export function isOfferable(publicKey: Buffer): boolean {
  return !(ssh2.utils.parseKey(publicKey) instanceof Error);
}

async function readPublic(file: string): Promise<Buffer | undefined> {
  try {
    return parsePublic(await readFile(file));
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return undefined;
  }
}

function parsePublic(text: Buffer): Buffer | undefined {
  const base64 = /^(?:ssh|ecdsa|sk)-[\w@.-]+ ([A-Za-z0-9+/=]+)/.exec(text.toString("latin1"))?.[1];
  return base64 === undefined ? undefined : Buffer.from(base64, "base64");
}

function pemEncrypted(text: Buffer): boolean {
  return /^Proc-Type: 4,ENCRYPTED|^-----BEGIN ENCRYPTED PRIVATE KEY|^Encryption: aes/m.test(text.toString("latin1"));
}

const MAGIC = "openssh-key-v1\0";

/** The format of ssh-keygen has the public half in the clear. */
function openSshHeader(text: Buffer): { encrypted: boolean; publicKey: Buffer } | undefined {
  const body = /-----BEGIN OPENSSH PRIVATE KEY-----([^-]*)-----END/.exec(text.toString("latin1"))?.[1];
  if (body === undefined) return undefined;
  const data = Buffer.from(body, "base64");
  if (data.toString("latin1", 0, MAGIC.length) !== MAGIC) return undefined;
  let at = MAGIC.length;
  const field = (): Buffer => {
    const length = at + 4 <= data.length ? data.readUInt32BE(at) : 0;
    at += 4 + length;
    return data.subarray(at - length, at);
  };
  const cipher = field().toString("latin1");
  field();
  field();
  at += 4;
  return { encrypted: cipher !== "none", publicKey: Buffer.from(field()) };
}
