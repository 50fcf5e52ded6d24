// Host keys as they travel: a blob that begins with its type. Fingerprints as ssh prints them.
import { createHash } from "node:crypto";

/** Undefined for a blob that is not a key. */
export function keyType(blob: Buffer): string | undefined {
  if (blob.length < 4) return undefined;
  const length = blob.readUInt32BE(0);
  if (length === 0 || length > 64 || blob.length < 4 + length) return undefined;
  const type = blob.toString("latin1", 4, 4 + length);
  return /^[\x21-\x7e]+$/.test(type) ? type : undefined;
}

/** `SHA256:…`, as `ssh-keygen -l` prints it. */
export function fingerprint(blob: Buffer): string {
  return `SHA256:${createHash("sha256").update(blob).digest("base64").replace(/=+$/, "")}`;
}

/** What ssh2 can verify, best first; an rsa key signs with either hash. */
const ALGORITHMS = [
  "ssh-ed25519",
  "ecdsa-sha2-nistp256",
  "ecdsa-sha2-nistp384",
  "ecdsa-sha2-nistp521",
  "rsa-sha2-512",
  "rsa-sha2-256",
  "ssh-rsa",
] as const;
export type HostKeyAlgorithm = (typeof ALGORITHMS)[number];

/**
 * The order in which we ask for host keys: types that are known for this host first, as OpenSSH does.
 * Otherwise a host that is known by its rsa key would show its ed25519 key and look unknown.
 */
export function orderAlgorithms(knownTypes: readonly string[]): HostKeyAlgorithm[] {
  const typeOf = (algorithm: string) => (algorithm.startsWith("rsa-") ? "ssh-rsa" : algorithm);
  const known = ALGORITHMS.filter((algorithm) => knownTypes.includes(typeOf(algorithm)));
  return [...known, ...ALGORITHMS.filter((algorithm) => !known.includes(algorithm))];
}
