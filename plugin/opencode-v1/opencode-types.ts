// What OpenCode 1.18.33 really gives to plugin tools, where its published types say less.
import type { PluginInput, ToolContext, ToolDefinition, ToolResult } from "@opencode-ai/plugin";

export type { ToolDefinition };

/** `callID` names the tool's part in the message; older releases may not give it. */
export type CallContext = ToolContext & { callID?: string };

/** Our tools always answer in full. */
export type CallResult = Exclude<ToolResult, string>;

export type OpencodeClient = PluginInput["client"];

/** A part of a message, as far as we touch it. */
export interface ToolPart {
  id: string;
  type: string;
  callID?: string;
  state?: { status: string; metadata?: Record<string, unknown> };
}

/** Events are read by name: the union of the published client is older than the server. */
export interface LooseEvent {
  type: string;
  properties: Record<string, unknown>;
}
