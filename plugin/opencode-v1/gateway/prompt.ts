// Prompts on their way to OpenCode: a file that one names is the host's, and OpenCode shall not look for it here.
import type { Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { type Static, Type } from "typebox";
import { Check } from "typebox/value";
import { hostFileURL } from "../host-file-url.js";
import { header, type RequestHead } from "./request-head.js";

const PROMPT = /^\/session\/[^/]+\/(?:message|prompt_async|command)$/i;
/** What is longer goes through as it is: pasted images are some megabytes. */
const BODY_LIMIT = 64 * 1024 * 1024;

const Prompt = Type.Object({ parts: Type.Array(Type.Object({ type: Type.String() })) });
const FilePart = Type.Object({ type: Type.Literal("file"), url: Type.String(), mime: Type.String() });

/** Whether the whole of the body is to be read before the request is passed on. */
export function isPrompt(head: RequestHead, path: string): boolean {
  const length = Number(header(head, "content-length"));
  return head.method === "POST" && PROMPT.test(path) && length > 0 && length <= BODY_LIMIT;
}

/** `rest`: what came behind the head. Undefined where the client left before it had sent everything. */
export async function readBody(socket: Socket, head: RequestHead, rest: Buffer): Promise<Buffer | undefined> {
  const length = Number(header(head, "content-length"));
  const chunks = [rest];
  let have = rest.length;
  if (have < length) {
    for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
      chunks.push(chunk as Buffer);
      have += (chunk as Buffer).length;
      if (have >= length) break;
    }
  }
  return have < length ? undefined : Buffer.concat(chunks).subarray(0, length);
}

/** The same prompt with `file:` URLs that only the plugin understands; what is no such prompt stays as it is. */
export function withHostFiles(body: Buffer): Buffer {
  const prompt = parsed(body);
  if (!Check(Prompt, prompt)) return body;
  const parts = prompt.parts.map((part) => (Check(FilePart, part) ? rewritten(part) : part));
  return Buffer.from(JSON.stringify({ ...prompt, parts }));
}

/** With the length of another body. */
export function withLength(head: RequestHead, length: number): RequestHead {
  const headers = head.headers.map(([name, value]): [string, string] =>
    name.toLowerCase() === "content-length" ? [name, String(length)] : [name, value],
  );
  return { ...head, headers };
}

function rewritten(part: Static<typeof FilePart>): Static<typeof FilePart> {
  if (!part.url.startsWith("file:") || !URL.canParse(part.url)) return part;
  const url = new URL(part.url);
  // of another machine: OpenCode says what it thinks of that
  if (url.host !== "") return part;
  // lines of a file stand in its query; the whole file is sent
  url.search = "";
  return { ...part, url: hostFileURL(fileURLToPath(url), part.mime) };
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
