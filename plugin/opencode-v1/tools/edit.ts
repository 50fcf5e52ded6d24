// edit: replaces text in a file of the host. After a read in this session one round trip: the write carries the tag of
// what was read, and where the host has another version the file is read again, once.
import { tool } from "@opencode-ai/plugin/tool";
import { joinMark, splitMark } from "../byte-order-mark.js";
import { EditError, withCurrentFile } from "../current-file.js";
import { fileDiff } from "../diff-text.js";
import { EDIT_ERRORS, replaceText, withLineEndsOf } from "../edit/replace.js";
import type { CallContext, CallResult, ToolDefinition } from "../opencode-types.js";
import type { CachedFile } from "../read-cache.js";
import { relativeRemote, resolveRemote } from "../remote-path.js";
import { EDIT } from "./descriptions.js";
import { type Call, type ToolHost, withCall } from "./tool-host.js";
import { writeText } from "./write-text.js";

interface EditArguments {
  filePath: string;
  oldString: string;
  newString: string;
  replaceAll?: boolean;
}

interface Edited {
  before: string;
  after: string;
  bom: boolean;
}

export function createEditTool(host: ToolHost): ToolDefinition {
  const schema = tool.schema;
  return tool({
    description: EDIT,
    args: {
      filePath: schema.string().describe("The absolute path to the file to modify"),
      oldString: schema.string().describe("The text to replace"),
      newString: schema.string().describe("The text to replace it with (must be different from oldString)"),
      replaceAll: schema.boolean().optional().describe("Replace all occurrences of oldString (default false)"),
    },
    execute: (args, context: CallContext) =>
      withCall(host, context, async (call) => {
        if (!args.filePath) throw new Error("filePath is required");
        if (args.oldString === args.newString) throw new Error(EDIT_ERRORS.identical);
        const path = resolveRemote(args.filePath, call.at);
        return await host.locks.run(path, () =>
          withCurrentFile(call, host.cache, path, (file) => edit(host, call, path, file, args)),
        );
      }),
  });
}

async function edit(
  host: ToolHost,
  call: Call,
  path: string,
  file: CachedFile | undefined,
  args: EditArguments,
): Promise<CallResult> {
  const title = relativeRemote(path, call.at);
  const { before, after, bom } = edited(path, file, args);
  const { patch, additions, deletions } = fileDiff(path, before, after);
  const metadata = { filepath: path, diff: patch };
  await call.context.ask({ permission: "edit", patterns: [title], always: ["*"], metadata });
  await writeText(host, call, path, joinMark(after, bom), file);
  return {
    title,
    output: "Edit applied successfully.",
    metadata: { diagnostics: {}, diff: patch, filediff: { file: path, patch, additions, deletions } },
  };
}

function edited(path: string, file: CachedFile | undefined, args: EditArguments): Edited {
  if (args.oldString === "") {
    if (file) throw new EditError(EDIT_ERRORS.empty);
    const { bom, text } = splitMark(args.newString);
    return { before: "", after: text, bom };
  }
  if (!file) throw new EditError(`File ${path} not found`);
  const { bom, text } = splitMark(file.text);
  const oldString = withLineEndsOf(text, args.oldString);
  const newString = withLineEndsOf(text, args.newString);
  try {
    const replaced = splitMark(replaceText(text, oldString, newString, args.replaceAll));
    return { before: text, after: replaced.text, bom: bom || replaced.bom };
  } catch (error) {
    throw new EditError((error as Error).message);
  }
}
