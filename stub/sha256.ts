// SHA-256 in one call where Node has it (20.12): a third of the time, on the way of every request.
import * as crypto from "node:crypto";

const { createHash } = crypto;
const { hash } = crypto as { hash?: (algorithm: string, text: string, encoding: Encoding) => string };

type Encoding = "hex" | "base64url";

export function sha256(text: string, encoding: Encoding): string {
  return hash === undefined ? createHash("sha256").update(text).digest(encoding) : hash("sha256", text, encoding);
}
