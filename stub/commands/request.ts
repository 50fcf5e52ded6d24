// Requests to the spawner as bytes (docs/protocol.md "Stub and spawner"); stub/native/helper/wire.c is the other end.
import { RemoteError } from "../../protocol/errors.js";

export interface StartRequest {
  graceMs: number;
  /** Whether stdin is a pipe; else it is empty. */
  stdin: boolean;
  /** 0: none. */
  timeoutMs: number;
  /** Bytes that both logs together may hold on the disk; 0: no limit. */
  logCap: number;
  /** Undefined: the one of the stub. */
  umask: number | undefined;
  /** Path of the command's files without their suffix. */
  base: string;
  cwd: string;
  /** Empty: none. */
  tmpdir: string;
  argv: string[];
  /** Executed where `argv` cannot be. */
  alternative?: string[] | undefined;
  environment: EnvironmentBlock;
  /** Undefined: nothing is applied. */
  confinement?: Confinement | undefined;
  meta: string;
}

/** What the kernel is to hold a command to, as the helper takes it; made by stub/confinement. */
export interface Confinement {
  /** Bits of `enum confine_level` (stub/native/confine/confine.h). */
  level: number;
  /** An ask that no stub takes for so long is denied by the helper. */
  askWaitMs: number;
  /** Names the policy: equal keys, equal policies. What was built for one is used again for the other. */
  key: string;
  /** As stub/native/confine/policy.h has it. */
  policy: Buffer;
}

/** NAME=VALUE strings, each with its NUL, ready to be sent. */
export interface EnvironmentBlock {
  count: number;
  bytes: Buffer;
}

export const CANCEL_REASON = { abort: 1, timeout: 2 } as const;

const KIND = { start: 1, cancel: 2 } as const;
const FLAG = { stdin: 1 } as const;
const UMASK_INHERITED = 0xffffffff;
const UNCONFINED: Confinement = { level: 0, askWaitMs: 0, key: "", policy: Buffer.alloc(0) };
/** As REQUEST_MAX in wire.h, less room for the numbers. */
const LARGEST = 16 * 1024 * 1024 - 1024;

export function environmentBlock(variables: Iterable<string>): EnvironmentBlock {
  let count = 0;
  let text = "";
  for (const variable of variables) {
    text += `${variable}\0`;
    count += 1;
  }
  return { count, bytes: Buffer.from(text) };
}

/** Throws RemoteError `spawn_failed` for more than the spawner takes (far more than the kernel would). */
export function encodeStart(id: number, request: StartRequest): Buffer {
  const { environment, confinement = UNCONFINED } = request;
  const paths = Buffer.from(`${request.base}\0${request.cwd}\0${request.tmpdir}\0${confinement.key}\0`);
  const alternative = request.alternative ?? [];
  const args = Buffer.from([...request.argv, ...alternative, ""].join("\0"));
  const meta = Buffer.from(request.meta);
  const strings = paths.length + args.length + environment.bytes.length + confinement.policy.length + meta.length;
  const total = 12 + 36 + 8 + 4 + 4 + 4 + strings;
  if (total > LARGEST) throw new RemoteError("spawn_failed", `a command of ${total} bytes is too long to execute`);
  const bytes = Buffer.allocUnsafe(total);
  let at = bytes.writeUInt32LE(total - 4, 0);
  at = bytes.writeUInt32LE(KIND.start, at);
  at = bytes.writeUInt32LE(id, at);
  at = bytes.writeUInt32LE(request.stdin ? FLAG.stdin : 0, at);
  at = bytes.writeUInt32LE(request.graceMs, at);
  at = bytes.writeBigUInt64LE(BigInt(request.timeoutMs), at);
  at = bytes.writeBigUInt64LE(BigInt(request.logCap), at);
  at = bytes.writeUInt32LE(request.umask ?? UMASK_INHERITED, at);
  at = bytes.writeUInt32LE(confinement.level, at);
  at = bytes.writeUInt32LE(confinement.askWaitMs, at);
  at += paths.copy(bytes, at);
  at = bytes.writeUInt32LE(request.argv.length + alternative.length, at);
  at = bytes.writeUInt32LE(alternative.length > 0 ? request.argv.length : 0, at);
  at += args.copy(bytes, at);
  at = bytes.writeUInt32LE(environment.count, at);
  at += environment.bytes.copy(bytes, at);
  at = bytes.writeUInt32LE(confinement.policy.length, at);
  at += confinement.policy.copy(bytes, at);
  at = bytes.writeUInt32LE(meta.length, at);
  meta.copy(bytes, at);
  return bytes;
}

export function encodeCancel(id: number, reason: keyof typeof CANCEL_REASON): Buffer {
  const bytes = Buffer.allocUnsafe(16);
  bytes.writeUInt32LE(12, 0);
  bytes.writeUInt32LE(KIND.cancel, 4);
  bytes.writeUInt32LE(id, 8);
  bytes.writeUInt32LE(CANCEL_REASON[reason], 12);
  return bytes;
}
