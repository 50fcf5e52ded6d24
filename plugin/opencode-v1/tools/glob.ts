// glob: files of the host by name, found by the ripgrep that the stub carries.
import { tool } from "@opencode-ai/plugin/tool";
import { codeOf } from "../../../protocol/errors.js";
import type { CallContext, ToolDefinition } from "../opencode-types.js";
import { relativeRemote, resolveRemote } from "../remote-path.js";
import { GLOB } from "./descriptions.js";
import { type ToolHost, withCall } from "./tool-host.js";

const LIMIT = 100;

export function createGlobTool(host: ToolHost): ToolDefinition {
  const schema = tool.schema;
  return tool({
    description: GLOB,
    args: {
      pattern: schema.string().describe("The glob pattern to match files against"),
      path: schema
        .string()
        .optional()
        .describe(
          'The directory to search in. If not specified, the current working directory will be used. IMPORTANT: Omit this field to use the default directory. DO NOT enter "undefined" or "null" - simply omit it for the default behavior. Must be a valid directory path if provided.',
        ),
    },
    execute: (args, context: CallContext) =>
      withCall(host, context, async ({ session, at, options }) => {
        const { pattern, path } = args;
        await context.ask({ permission: "glob", patterns: [pattern], always: ["*"], metadata: { pattern, path } });
        const directory = path === undefined ? at.directory : resolveRemote(path, at);
        const { files } = await session
          .glob(pattern, { ...options, path: directory, limit: LIMIT })
          .catch((error: unknown) => {
            throw codeOf(error) === "ENOTDIR" ? new Error(`glob path must be a directory: ${directory}`) : error;
          });
        const truncated = files.length === LIMIT;
        return {
          title: relativeRemote(directory, at),
          output: globText(
            files.map((file) => file.path),
            truncated,
          ),
          metadata: { count: files.length, truncated },
        };
      }),
  });
}

function globText(paths: string[], truncated: boolean): string {
  if (paths.length === 0) return "No files found";
  const more = `(Results are truncated: showing first ${LIMIT} results. Consider using a more specific path or pattern.)`;
  return [...paths, ...(truncated ? ["", more] : [])].join("\n");
}
