// A whole file of the host: its bytes, whether they are text, and what kind they are.
import { extname } from "node:path";
import { codeOf, RemoteError } from "../../../protocol/errors.js";
import type { HostRequest } from "./host-route.js";

/** What the gateway holds of one file, bytes. */
const MOST = 32 * 1024 * 1024;

export interface WholeFile {
  data: Uint8Array;
  /** Undefined: it is none. */
  text: string | undefined;
  mime: string;
}

export async function readWhole(request: HostRequest, path: string, missing: "or fail"): Promise<WholeFile>;
export async function readWhole(
  request: HostRequest,
  path: string,
  missing: "or nothing",
): Promise<WholeFile | undefined>;
export async function readWhole(
  { session, signal }: HostRequest,
  path: string,
  missing: "or fail" | "or nothing",
): Promise<WholeFile | undefined> {
  try {
    const { data, size } = await session.readFile(path, { length: MOST, signal });
    if (size > MOST) throw new RemoteError("EFBIG", `${path} has ${size} bytes; up to ${MOST} are shown`);
    const text = textOf(data);
    return { data, text, mime: mimeOf(path, text !== undefined) };
  } catch (error) {
    if (missing === "or nothing" && codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

function textOf(data: Uint8Array): string | undefined {
  if (data.includes(0)) return undefined;
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(data);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

/** Kinds that a client shows differently. Text is never called by a name that a browser would run. */
const MIME: Record<string, string> = {
  ".avif": "image/avif",
  ".bmp": "image/bmp",
  ".gif": "image/gif",
  ".ico": "image/vnd.microsoft.icon",
  ".jpeg": "image/jpeg",
  ".jpg": "image/jpeg",
  ".pdf": "application/pdf",
  ".png": "image/png",
  ".webp": "image/webp",
};

function mimeOf(path: string, text: boolean): string {
  return MIME[extname(path).toLowerCase()] ?? (text ? "text/plain" : "application/octet-stream");
}
