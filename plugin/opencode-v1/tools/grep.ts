// grep: lines of the host's files by regular expression, found by the ripgrep that the stub carries.
import { posix } from "node:path";
import { tool } from "@opencode-ai/plugin/tool";
import { type FoundLine, grepText } from "../grep-text.js";
import type { CallContext, ToolDefinition } from "../opencode-types.js";
import { resolveRemote } from "../remote-path.js";
import { GREP } from "./descriptions.js";
import { type Call, type ToolHost, withCall } from "./tool-host.js";

interface GrepArguments {
  pattern: string;
  path?: string;
  include?: string;
}

const LIMIT = 100;

export function createGrepTool(host: ToolHost): ToolDefinition {
  const schema = tool.schema;
  return tool({
    description: GREP,
    args: {
      pattern: schema.string().describe("The regex pattern to search for in file contents"),
      path: schema
        .string()
        .optional()
        .describe("The directory to search in. Defaults to the current working directory."),
      include: schema.string().optional().describe('File pattern to include in the search (e.g. "*.js", "*.{ts,tsx}")'),
    },
    execute: (args, context: CallContext) =>
      withCall(host, context, async (call) => {
        const { pattern, path, include } = args;
        if (!pattern) throw new Error("pattern is required");
        const metadata = { pattern, path, include };
        await context.ask({ permission: "grep", patterns: [pattern], always: ["*"], metadata });
        const matches = await search(host, call, args);
        const truncated = matches.length === LIMIT;
        return {
          title: pattern,
          output: grepText(matches, truncated),
          metadata: { matches: matches.length, truncated },
        };
      }),
  });
}

async function search(host: ToolHost, { session, at, options }: Call, args: GrepArguments): Promise<FoundLine[]> {
  const path = args.path === undefined ? at.directory : resolveRemote(args.path, at);
  const saved = await host.saved.read(path);
  if (saved !== undefined) return searchText(path, saved, args.pattern);
  const include = args.include ? { include: args.include } : {};
  const { matches } = await session.grep(args.pattern, { ...options, path, ...include, limit: LIMIT });
  return matches.map((match) => ({ ...match, path: posix.resolve(at.directory, match.path) }));
}

function searchText(path: string, text: string, pattern: string): FoundLine[] {
  const expression = new RegExp(pattern);
  const found: FoundLine[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    if (found.length >= LIMIT) break;
    if (expression.test(line)) found.push({ path, line: index + 1, text: line.slice(0, 2000) });
  }
  return found;
}
