// The only way for a value into shell text: one word of POSIX sh, whatever it holds.
import { RemoteError } from "../../protocol/errors.js";

/** `it's` → `'it'\''s'`. Throws `invalid_request` for NUL, which no shell can hold. */
export function shellQuote(value: string): string {
  if (value.includes("\0")) throw new RemoteError("invalid_request", "a NUL byte cannot be sent to a shell");
  return `'${value.replaceAll("'", "'\\''")}'`;
}
