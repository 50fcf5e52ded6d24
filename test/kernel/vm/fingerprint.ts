// What a cached file was made of, as part of its name: other ingredients give another file.
import { createHash } from "node:crypto";

export function fingerprint(...ingredients: unknown[]): string {
  return createHash("sha256").update(JSON.stringify(ingredients)).digest("hex").slice(0, 12);
}
