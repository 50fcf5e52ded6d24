// Launcher and parts as the one file; its form is described in stub/native/launcher/container.c.
import { createHash } from "node:crypto";

export interface Part {
  /** Path in the unpack directory, for example `rt/libc.so.6`. */
  name: string;
  /** Permission bits. */
  mode: number;
  bytes: Uint8Array;
  /** Where the launcher writes the path of the dynamic loader: zeros here. */
  patch?: { offset: number; length: number };
}

export interface OneFile {
  bytes: Buffer;
  /** What the first start unpacks, bytes. */
  unpackedSize: number;
}

interface OneFileOptions {
  launcher: Uint8Array;
  parts: Part[];
  version: string;
  protocol: { major: number; minor: number };
  /** The pieces as one zstd stream. */
  compress: (pieces: Uint8Array[]) => Promise<Uint8Array>;
}

const PAGE = 4096;

export async function packOneFile(options: OneFileOptions): Promise<OneFile> {
  const { launcher, parts, version, protocol } = options;
  const archive = await options.compress(parts.map((part) => part.bytes));
  const unpackedSize = parts.reduce((sum, part) => sum + part.bytes.length, 0);
  const index = Buffer.from(
    [
      "opencode-remote-ssh parts 1",
      `version ${version}`,
      `protocol ${protocol.major}.${protocol.minor}`,
      `archive ${sha256(archive).toString("hex")}`,
      ...parts.map(partLine),
      "",
    ].join("\n"),
  );
  const padding = Buffer.alloc((PAGE - (launcher.length % PAGE)) % PAGE);
  const footer = Buffer.alloc(72);
  footer.write("ORSSTUB1", "latin1");
  footer.writeBigUInt64LE(BigInt(launcher.length + padding.length), 8);
  footer.writeBigUInt64LE(BigInt(archive.length), 16);
  footer.writeBigUInt64LE(BigInt(index.length), 24);
  footer.writeBigUInt64LE(BigInt(unpackedSize), 32);
  sha256(index).copy(footer, 40);
  return { bytes: Buffer.concat([launcher, padding, archive, index, footer]), unpackedSize };
}

function partLine({ name, mode, bytes, patch }: Part): string {
  const { offset, length } = patch ?? { offset: 0, length: 0 };
  return `part ${name} ${mode.toString(8)} ${bytes.length} ${sha256(bytes).toString("hex")} ${offset} ${length}`;
}

export function sha256(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest();
}
