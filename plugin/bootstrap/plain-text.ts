// Text of a host that a terminal of the laptop will show: it may not move the cursor, set titles or change colours.
import { stripVTControlCharacters } from "node:util";

/** Without escape sequences and control characters; newlines and tabs stay. */
export function plainText(text: string): string {
  return stripVTControlCharacters(text).replace(/\p{Cc}/gu, (control) =>
    control === "\n" || control === "\t" ? control : "",
  );
}
