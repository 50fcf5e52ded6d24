// The plugin in an anchor: the tools act on the host, the model is told so, and what would act on the laptop is refused.
import type { Config, Hooks } from "@opencode-ai/plugin";
import type { AnchoredHost } from "./anchored-host.js";
import type { LooseEvent, OpencodeClient } from "./opencode-types.js";
import { type HostFile, namesFile, type PromptPart, partsForHost } from "./prompt-files.js";
import { withoutLaptopFiles } from "./prompt-references.js";
import { directoryAnswer, mediaAnswer, textAnswer } from "./read-text.js";
import { resolveRemote } from "./remote-path.js";
import { systemForHost } from "./system-prompt.js";
import { createApplyPatchTool } from "./tools/apply-patch.js";
import { createBashTool } from "./tools/bash.js";
import type { OutputLimits } from "./tools/descriptions.js";
import { createEditTool } from "./tools/edit.js";
import { createGlobTool } from "./tools/glob.js";
import { createGrepTool } from "./tools/grep.js";
import { createReadTool } from "./tools/read.js";
import { createWriteTool } from "./tools/write.js";

/** Built-in tools, now or in releases before, that would read or run something on the laptop. */
const LAPTOP_TOOLS = new Set(["lsp", "list", "patch", "multiedit"]);

export interface InsideOptions {
  host: AnchoredHost;
  client: OpencodeClient;
  /** Local paths of the anchor, as OpenCode may spell them. */
  anchors: string[];
  /** Takes what the user's configuration says about output. */
  setLimits(limits: Pick<OutputLimits, "maxLines" | "maxBytes">): void;
  dispose(): Promise<void>;
}

export function insideHooks(options: InsideOptions): Hooks {
  const { host } = options;
  const anchors = [...new Set(options.anchors)].sort((left, right) => right.length - left.length);
  return {
    dispose: options.dispose,
    async config(config) {
      options.setLimits(outputLimits(config));
    },
    async event({ event }) {
      const loose = event as unknown as LooseEvent;
      host.asks.handle(loose);
      host.owners.handle(loose);
      host.reverts.handle(loose);
    },
    tool: {
      bash: createBashTool(host),
      read: createReadTool(host),
      write: createWriteTool(host),
      edit: createEditTool(host),
      apply_patch: createApplyPatchTool(host),
      glob: createGlobTool(host),
      grep: createGrepTool(host),
    },
    async "tool.execute.before"({ tool }, { args }) {
      if (tool === "task" && typeof args?.prompt === "string") args.prompt = withoutLaptopFiles(args.prompt);
      if (!LAPTOP_TOOLS.has(tool)) return;
      throw new Error(
        `The tool ${tool} works on the user's own machine; this session works on ${host.name}. Nothing was done.`,
      );
    },
    async "tool.execute.after"({ tool, callID }, output) {
      if (host.truncated.delete(callID)) output.metadata = { ...output.metadata, truncated: true };
      if (tool === "skill")
        output.output += "\n\n(Files of this skill lie on the user's own machine, not on the host.)";
    },
    async "experimental.chat.system.transform"(_input, output) {
      const place = { host: host.name, directory: host.directory, anchors };
      const system = await host.refresh().then(
        (facts) => systemForHost(output.system, { ...place, facts }),
        (error: Error) => systemForHost(output.system, { ...place, failure: error.message }),
      );
      output.system.splice(0, output.system.length, ...system);
    },
    async "command.execute.before"({ sessionID }, output) {
      await useHostFiles(output.parts, sessionID);
    },
    async "chat.message"({ sessionID }, output) {
      await useHostFiles(output.parts, sessionID);
    },
  };

  async function useHostFiles(of: unknown[], sessionID: string): Promise<void> {
    const parts = of as PromptPart[];
    if (!parts.some(namesFile)) return;
    const replaced = await partsForHost(parts, {
      toHost: (path) => hostPath(host, anchors, path),
      read: (path) => readForPrompt(host, path, sessionID),
    });
    parts.splice(0, parts.length, ...replaced);
  }
}

/** Our own answers are cut as the built-ins cut theirs; OpenCode's cut behind them (with a file on the laptop) never comes to it. */
function outputLimits(config: Config): Pick<OutputLimits, "maxLines" | "maxBytes"> {
  const loose = config as { tool_output?: { max_lines?: number; max_bytes?: number } };
  const limits = {
    maxLines: loose.tool_output?.max_lines ?? 2000,
    maxBytes: loose.tool_output?.max_bytes ?? 50 * 1024,
  };
  // line numbers, headings and notes come on top
  loose.tool_output = { max_lines: limits.maxLines + 100, max_bytes: limits.maxBytes + 24 * 1024 };
  return limits;
}

function hostPath(host: AnchoredHost, anchors: string[], path: string): string {
  const facts = host.known;
  const directory = facts?.directory ?? host.directory;
  const anchor = anchors.find((candidate) => path === candidate || path.startsWith(`${candidate}/`)) ?? host.anchor;
  return resolveRemote(path, { directory, home: facts?.home ?? "/", anchor });
}

async function readForPrompt(host: AnchoredHost, path: string, sessionID: string): Promise<HostFile> {
  const session = await host.session();
  const view = await session.view(path, { sessionID });
  if (view.type === "text") return { text: textAnswer(path, view, 1).output };
  if (view.type === "directory") return { text: directoryAnswer(path, view, 1).output };
  if (view.type === "binary") throw new Error(`Cannot read binary file: ${path}`);
  const { mime, base64 } = view;
  return { text: mediaAnswer(mime).output, attachment: { mime, url: `data:${mime};base64,${base64}` } };
}
