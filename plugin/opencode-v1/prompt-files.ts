// Files that a message names (`@file`): OpenCode has read them on the laptop before the plugin sees the message. What lies
// in the anchor means the host's file and is read there; what else a subagent's prompt named is the model's wish, not the user's.
import { fileURLToPath } from "node:url";
import { isWithin } from "../../protocol/paths.js";

/** As much of a message part as matters here. */
export interface PromptPart {
  id: string;
  messageID: string;
  sessionID: string;
  type: string;
  text?: string;
  synthetic?: boolean;
  url?: string;
  mime?: string;
  filename?: string;
  source?: unknown;
}

export interface PromptFiles {
  /** Local paths of the anchor. */
  anchors: string[];
  /** The prompt was written by the model (a subagent's). */
  byModel: boolean;
  /** Path of the anchor to path on the host. */
  toHost(path: string): string;
  /** What the read tool answers for a path of the host; throws what it throws. */
  read(path: string): Promise<string>;
}

const CALLED = "Called the Read tool with the following input: ";
const FAILED = "Read tool failed to read ";

/** The parts that shall be saved instead; the same array where no file of the laptop was named. */
export async function partsForHost(parts: PromptPart[], files: PromptFiles): Promise<PromptPart[]> {
  const result: PromptPart[] = [];
  for (let index = 0; index < parts.length; index++) {
    const part = parts[index] as PromptPart;
    const group = groupAt(parts, index);
    if (!group) {
      result.push(part);
      continue;
    }
    const anchored = files.anchors.some((anchor) => isWithin(group.path, anchor));
    if (!anchored && !files.byModel) {
      // The user gave a file of the laptop along, by hand.
      result.push(...group.parts);
    } else if (anchored) {
      const path = files.toHost(group.path);
      const text = await files
        .read(path)
        .catch((error: Error) => `${FAILED}${path} with the following error: ${error.message}`);
      result.push(
        { ...part, text: `${CALLED}${JSON.stringify({ filePath: path })}` },
        { ...part, id: `${part.id}1`, text },
      );
    } else result.push({ ...part, text: "A file named here lies on the user's own machine and was not read." });
    index += group.parts.length - 1;
  }
  return result;
}

interface Group {
  path: string;
  parts: PromptPart[];
}

/** One file that OpenCode has read: the announcement, what was read, and the file itself, or the failure alone. */
function groupAt(parts: PromptPart[], index: number): Group | undefined {
  const part = parts[index];
  if (!part) return undefined;
  if (part.type === "file" && part.url?.startsWith("file:")) return { path: fileURLToPath(part.url), parts: [part] };
  if (part.type !== "text" || !part.synthetic || part.text === undefined) return undefined;
  const failed = part.text.startsWith(FAILED)
    ? /^Read tool failed to read (.*) with the following error: /s.exec(part.text)
    : null;
  if (failed?.[1]) return { path: failed[1], parts: [part] };
  const path = part.text.startsWith(CALLED) ? pathOf(part.text.slice(CALLED.length)) : undefined;
  // A file pasted as data has a name, not a path.
  if (path === undefined || !/^(\/|[A-Za-z]:)/.test(path)) return undefined;
  const group = [part];
  for (const next of parts.slice(index + 1)) {
    const isText = next.type === "text" && next.synthetic && !next.text?.startsWith(CALLED);
    const isFile = next.type === "file" && (next.url?.startsWith("file:") || next.url?.startsWith("data:"));
    if (!isText && !isFile) break;
    group.push(next);
    if (isFile) break;
  }
  return { path, parts: group };
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
