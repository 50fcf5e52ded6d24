// GET …/context: all that opening a workspace needs, in one answer.
import { RemoteError } from "../protocol/errors.js";
import type { Workspace, WorkspaceContext } from "../protocol/workspace.js";
import type { EnforcementService } from "./confinement/enforcement.js";
import { type FileContext, openToRead } from "./files/access.js";
import type { HostFacts } from "./host.js";

/** The first of them that is there. */
const INSTRUCTIONS = ["AGENTS.md", "CLAUDE.md"];
const INSTRUCTION_BYTES = 64 * 1024;

export interface DescribeOptions {
  host: HostFacts;
  enforcement: EnforcementService;
  files: FileContext;
}

export async function describe(workspace: Workspace, options: DescribeOptions): Promise<WorkspaceContext> {
  const { host, files } = options;
  const { hostname, platform, arch, home, user, stub } = host;
  await options.enforcement.ready;
  const enforcement = options.enforcement.describe(workspace);
  const instructions = await readInstructions(workspace, files);
  return { workspace, hostname, platform, arch, home, user, enforcement, stub, instructions };
}

async function readInstructions(workspace: Workspace, files: FileContext): Promise<WorkspaceContext["instructions"]> {
  if (workspace.directory === null) return [];
  for (const name of INSTRUCTIONS) {
    const text = await readText(files, `${workspace.directory}/${name}`);
    if (text !== undefined) return [text];
  }
  return [];
}

/** Undefined for what is missing, unreadable, no file, or outside what is approved: instructions are never asked for. */
async function readText(files: FileContext, path: string): Promise<{ path: string; text: string } | undefined> {
  try {
    await using file = await openToRead(files, path, "read instructions");
    if (file.kind !== "file") return undefined;
    const { buffer, bytesRead } = await file.handle.read(Buffer.alloc(INSTRUCTION_BYTES), 0, INSTRUCTION_BYTES, 0);
    return { path: file.real, text: new TextDecoder().decode(buffer.subarray(0, bytesRead), { stream: true }) };
  } catch (error) {
    if (error instanceof RemoteError) return undefined;
    throw error;
  }
}
