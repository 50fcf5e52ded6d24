// What a file's bytes are: an image or a PDF to be attached, text to be shown, or neither.
import { extname } from "node:path";

/** By the first bytes: names lie. Undefined for what is no medium that a model can be given. */
export function mediaType(start: Uint8Array): string | undefined {
  const begins = (...bytes: number[]) => bytes.every((byte, index) => start[index] === byte);
  const ascii = (from: number, to: number) => Buffer.from(start.subarray(from, to)).toString("latin1");
  if (begins(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a)) return "image/png";
  if (begins(0xff, 0xd8, 0xff)) return "image/jpeg";
  if (ascii(0, 6) === "GIF87a" || ascii(0, 6) === "GIF89a") return "image/gif";
  if (ascii(0, 4) === "RIFF" && ascii(8, 12) === "WEBP") return "image/webp";
  if (ascii(0, 5) === "%PDF-") return "application/pdf";
  return undefined;
}

const BINARY_EXTENSIONS = new Set(
  "zip tar gz exe dll so class jar war 7z doc docx xls xlsx ppt pptx odt ods odp bin dat obj o a lib wasm pyc pyo".split(
    " ",
  ),
);

/** As OpenCode's read tool decides: by extension, a NUL, or more than 30 % control characters in the first 4 KiB. */
export function isBinary(name: string, start: Uint8Array): boolean {
  if (BINARY_EXTENSIONS.has(extname(name).slice(1).toLowerCase())) return true;
  const sample = start.subarray(0, 4096);
  if (sample.includes(0)) return true;
  const control = sample.reduce((count, byte) => (byte < 9 || (byte > 13 && byte < 32) ? count + 1 : count), 0);
  return control > sample.length * 0.3;
}

/** Undefined where the bytes are not valid UTF-8. A byte order mark stays. */
export function decodeText(data: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}
