// The stub that this package carries: dist/stub/manifest.json and the file that it names.
import { createReadStream, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { Value } from "typebox/value";
import { RemoteError } from "../../protocol/errors.js";
import { Manifest } from "../../protocol/install.js";
import { packageRoot } from "./package-root.js";

/** One file for one platform, ready to be sent. */
export interface StubFile {
  version: string;
  /** Hex. */
  sha256: string;
  /** Bytes. */
  size: number;
  /** Bytes that its first start unpacks beside it. */
  unpackedSize: number;
  open(): Readable;
}

/** Throws `bundle_missing` where nothing was built. `bundle` is the directory that holds `stub/manifest.json`. */
export function bundledStub(bundle: string = join(packageRoot(), "dist"), platform = "linux-x64"): StubFile {
  const directory = join(bundle, "stub");
  const file = join(directory, "manifest.json");
  if (!existsSync(file)) throw new RemoteError("bundle_missing", `${file} does not exist`);
  const manifest: unknown = JSON.parse(readFileSync(file, "utf8"));
  if (!Value.Check(Manifest, manifest)) throw new RemoteError("bundle_missing", `${file} has another shape`);
  const entry = manifest.stubs[platform];
  if (entry === undefined) {
    throw new RemoteError("platform_unsupported", `this package carries no stub for ${platform}`);
  }
  const path = join(directory, entry.file);
  if (!existsSync(path)) throw new RemoteError("bundle_missing", `${path} does not exist`);
  return {
    version: manifest.version,
    sha256: entry.sha256,
    size: entry.size,
    unpackedSize: entry.unpackedSize,
    open: () => createReadStream(path, { highWaterMark: 256 * 1024 }),
  };
}
