// read: a file or a directory of the host, in one round trip. What was read is kept for the edits that follow.
import { posix } from "node:path";
import { tool } from "@opencode-ai/plugin/tool";
import { codeOf } from "../../../protocol/errors.js";
import { viewText } from "../local-view.js";
import type { CallContext, CallResult, ToolDefinition } from "../opencode-types.js";
import { directoryAnswer, mediaAnswer, missingFile, type ReadAnswer, textAnswer } from "../read-text.js";
import { relativeRemote, resolveRemote } from "../remote-path.js";
import { READ } from "./descriptions.js";
import { type Call, type ToolHost, withCall } from "./tool-host.js";

interface ReadArguments {
  filePath: string;
  offset?: number;
  limit?: number;
}

const DEFAULT_LIMIT = 2000;

export function createReadTool(host: ToolHost): ToolDefinition {
  const schema = tool.schema;
  return tool({
    description: READ,
    args: {
      filePath: schema.string().describe("The absolute path to the file or directory to read"),
      offset: schema.number().int().min(0).optional().describe("The line number to start reading from (1-indexed)"),
      limit: schema.number().int().min(0).optional().describe("The maximum number of lines to read (defaults to 2000)"),
    },
    execute: (args, context: CallContext) =>
      withCall(host, context, async (call) => {
        const path = resolveRemote(args.filePath, call.at);
        const title = relativeRemote(path, call.at);
        await context.ask({ permission: "read", patterns: [title], always: ["*"], metadata: {} });
        const saved = await host.saved.read(path);
        const offset = args.offset || 1;
        if (saved !== undefined) {
          return { title, ...textAnswer(path, viewText(path, saved, offset, args.limit || DEFAULT_LIMIT), offset) };
        }
        return { title, ...(await view(host, call, path, args)) };
      }),
  });
}

async function view(
  host: ToolHost,
  call: Call,
  path: string,
  args: ReadArguments,
): Promise<ReadAnswer & Pick<CallResult, "attachments">> {
  const offset = args.offset || 1;
  const limit = args.limit || DEFAULT_LIMIT;
  const file = await call.session.view(path, { ...call.options, offset, limit }).catch(async (error: unknown) => {
    throw codeOf(error) === "ENOENT" ? new Error(await missing(call, path)) : error;
  });
  if (file.type === "directory") return directoryAnswer(path, file, offset);
  if (file.type === "binary") throw new Error(`Cannot read binary file: ${path}`);
  if (file.type === "media") {
    const url = `data:${file.mime};base64,${file.base64}`;
    return { ...mediaAnswer(file.mime), attachments: [{ type: "file", mime: file.mime, url }] };
  }
  // Without its byte order mark a text would not be what the tag stands for.
  if (file.content !== undefined && Buffer.byteLength(file.content) === file.size) {
    host.cache.set(call.context.sessionID, path, { text: file.content, tag: file.tag });
  } else host.cache.delete(call.context.sessionID, path);
  return textAnswer(path, file, offset);
}

/** Names like it beside it, where that can be seen without asking. */
async function missing(call: Call, path: string): Promise<string> {
  const directory = posix.dirname(path);
  const { signal, sessionID } = call.options;
  // Not there, not allowed, not in time: the answer that the file is missing stays the same, without proposals.
  const entries = await call.session.readdir(directory, { signal, sessionID }).catch(() => []);
  const names = entries.map((entry) => entry.name);
  return missingFile(path, directory, posix.basename(path), names);
}
