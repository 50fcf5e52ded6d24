// write: a whole file of the host. The prompt shows what it would change.
import { tool } from "@opencode-ai/plugin/tool";
import { joinMark, splitMark } from "../byte-order-mark.js";
import { withCurrentFile } from "../current-file.js";
import { fileDiff } from "../diff-text.js";
import type { CallContext, ToolDefinition } from "../opencode-types.js";
import { relativeRemote, resolveRemote } from "../remote-path.js";
import { WRITE } from "./descriptions.js";
import { type ToolHost, withCall } from "./tool-host.js";
import { writeText } from "./write-text.js";

export function createWriteTool(host: ToolHost): ToolDefinition {
  const schema = tool.schema;
  return tool({
    description: WRITE,
    args: {
      content: schema.string().describe("The content to write to the file"),
      filePath: schema.string().describe("The absolute path to the file to write (must be absolute, not relative)"),
    },
    execute: (args, context: CallContext) =>
      withCall(host, context, async (call) => {
        const path = resolveRemote(args.filePath, call.at);
        const title = relativeRemote(path, call.at);
        return await host.locks.run(path, () =>
          withCurrentFile(call, host.cache, path, async (file) => {
            const before = splitMark(file?.text ?? "");
            const after = splitMark(args.content);
            const { patch } = fileDiff(path, before.text, after.text);
            const metadata = { filepath: path, diff: patch };
            await context.ask({ permission: "edit", patterns: [title], always: ["*"], metadata });
            await writeText(host, call, path, joinMark(after.text, before.bom || after.bom), file);
            return {
              title,
              output: "Wrote file successfully.",
              metadata: { diagnostics: {}, filepath: path, exists: file !== undefined },
            };
          }),
        );
      }),
  });
}
