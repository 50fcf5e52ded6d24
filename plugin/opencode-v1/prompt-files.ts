// Files that a message names (`@file`, `file:` parts): whatever the path, it means the host's file. OpenCode has read one of that path
// on the laptop before the plugin sees the message; that is thrown away. What was pasted as data is the user's own, and stays.
import { fileURLToPath } from "node:url";
import { pathOfHostFile } from "./host-file-url.js";

/** As much of a message part as matters here. */
export interface PromptPart {
  id?: string;
  messageID?: string;
  sessionID?: string;
  type: string;
  text?: string;
  synthetic?: boolean;
  url?: string;
  mime?: string;
  filename?: string;
  source?: unknown;
}

export interface HostFile {
  /** What the read tool answers. */
  text: string;
  /** An image or a PDF: `url` holds its bytes. */
  attachment?: { mime: string; url: string };
}

export interface PromptFiles {
  /** What a path that OpenCode knows is on the host. */
  toHost(path: string): string;
  /** Throws what the read tool throws. */
  read(path: string): Promise<HostFile>;
}

const CALLED = "Called the Read tool with the following input: ";
const FAILED = "Read tool failed to read ";

/** The parts that shall be saved instead. */
export async function partsForHost(parts: PromptPart[], files: PromptFiles): Promise<PromptPart[]> {
  const result: PromptPart[] = [];
  for (let index = 0; index < parts.length; index++) {
    const part = parts[index] as PromptPart;
    const group = groupAt(parts, index);
    if (!group) {
      result.push(part);
      continue;
    }
    result.push(...(await hostParts(part, files.toHost(group.path), files)));
    index += group.parts.length - 1;
  }
  return result;
}

/** As OpenCode says that it has read a file. */
async function hostParts(part: PromptPart, path: string, files: PromptFiles): Promise<PromptPart[]> {
  const file: HostFile = await files
    .read(path)
    .catch((error: Error) => ({ text: `${FAILED}${path} with the following error: ${error.message}` }));
  const { id, messageID, sessionID, filename } = part;
  const text = { messageID, sessionID, type: "text", synthetic: true };
  // before a message is saved its parts may have no ids yet
  const named = (number: string) => (id === undefined ? {} : { id: `${id}${number}` });
  return [
    { ...text, ...named(""), text: `${CALLED}${JSON.stringify({ filePath: path })}` },
    { ...text, ...named("1"), text: file.text },
    ...(file.attachment ? [{ messageID, sessionID, ...named("2"), type: "file", filename, ...file.attachment }] : []),
  ];
}

interface Group {
  path: string;
  parts: PromptPart[];
}

/** Whether a part stands for a file, so that the message must be looked through. */
export function namesFile(part: PromptPart): boolean {
  return part.synthetic === true || (part.url !== undefined && pathOfURL(part.url) !== undefined);
}

/** One file that OpenCode has read, or believes it has: the announcement, what was read, and the file itself, or the failure alone. */
function groupAt(parts: PromptPart[], index: number): Group | undefined {
  const part = parts[index];
  if (!part) return undefined;
  const own = part.type === "file" && part.url !== undefined ? pathOfURL(part.url) : undefined;
  if (own !== undefined) return { path: own, parts: [part] };
  if (part.type !== "text" || !part.synthetic || part.text === undefined) return undefined;
  const failed = part.text.startsWith(FAILED)
    ? /^Read tool failed to read (.*) with the following error: /s.exec(part.text)
    : null;
  if (failed?.[1]) return { path: failed[1], parts: [part] };
  if (!part.text.startsWith(CALLED)) return undefined;
  const group = [part];
  let marked: string | undefined;
  for (const next of parts.slice(index + 1)) {
    const isText = next.type === "text" && next.synthetic && !next.text?.startsWith(CALLED);
    const isFile = next.type === "file" && (next.url?.startsWith("file:") || next.url?.startsWith("data:"));
    if (!isText && !isFile) break;
    group.push(next);
    if (isFile) marked = pathOfHostFile(next.url ?? "");
    if (isFile) break;
  }
  const path = marked ?? pathOf(part.text.slice(CALLED.length));
  // A file pasted as data has a name, not a path.
  return path === undefined || !/^(\/|[A-Za-z]:)/.test(path) ? undefined : { path, parts: group };
}

function pathOfURL(url: string): string | undefined {
  return url.startsWith("file:") ? fileURLToPath(url) : pathOfHostFile(url);
}

function pathOf(json: string): string | undefined {
  try {
    const input: unknown = JSON.parse(json);
    const path = (input as { filePath?: unknown } | null)?.filePath;
    return typeof path === "string" ? path : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
