// OpenCode's FileContent, for clients that want JSON instead of bytes.
import type { FileContent } from "../../protocol/file.js";
import { decodeText, isBinary, mediaType } from "./media.js";
import type { FileBytes } from "./read.js";

export function asFileContent({ path, data }: FileBytes): FileContent {
  const mimeType = mediaType(data);
  const text = mimeType === undefined && !isBinary(path, data) ? decodeText(data) : undefined;
  if (text !== undefined) return { type: "text", content: text };
  const binary: FileContent = { type: "binary", content: data.toString("base64"), encoding: "base64" };
  return mimeType === undefined ? binary : { ...binary, mimeType };
}
