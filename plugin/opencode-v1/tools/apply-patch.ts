// apply_patch: many files of the host in two round trips: one batch reads them, one writes them, each onto the version
// that was read; the first step that fails stops the rest.
import { tool } from "@opencode-ai/plugin/tool";
import { codeOf } from "../../../protocol/errors.js";
import type { BatchStep } from "../../runner/runner.js";
import { decodeText } from "../byte-order-mark.js";
import type { CallContext, CallResult, ToolDefinition } from "../opencode-types.js";
import { type Hunk, parsePatch } from "../patch/parse.js";
import { type PlannedChange, planPatch } from "../patch/plan.js";
import type { CachedFile } from "../read-cache.js";
import { relativeRemote, resolveRemote } from "../remote-path.js";
import { APPLY_PATCH } from "./descriptions.js";
import { type Call, type ToolHost, withCall } from "./tool-host.js";

export function createApplyPatchTool(host: ToolHost): ToolDefinition {
  const schema = tool.schema;
  return tool({
    description: APPLY_PATCH,
    args: {
      patchText: schema.string().describe("The full patch text that describes all changes to be made"),
    },
    execute: (args, context: CallContext) =>
      withCall(host, context, async (call) => {
        const hunks = parse(args.patchText).map((hunk) => onHost(hunk, call));
        const paths = hunks.flatMap((hunk) => [
          hunk.path,
          ...(hunk.type === "update" && hunk.movePath ? [hunk.movePath] : []),
        ]);
        return await withLocks(host, [...new Set(paths)].sort(), () => apply(host, call, hunks));
      }),
  });
}

function parse(patchText: string): Hunk[] {
  if (!patchText) throw new Error("patchText is required");
  let hunks: Hunk[];
  try {
    hunks = parsePatch(patchText);
  } catch (error) {
    throw new Error(`apply_patch verification failed: ${error}`);
  }
  if (hunks.length > 0) return hunks;
  const empty = patchText.replace(/\r\n?/g, "\n").trim() === "*** Begin Patch\n*** End Patch";
  throw new Error(empty ? "patch rejected: empty patch" : "apply_patch verification failed: no hunks found");
}

function onHost(hunk: Hunk, call: Call): Hunk {
  const path = resolveRemote(hunk.path, call.at);
  if (hunk.type !== "update" || hunk.movePath === undefined) return { ...hunk, path };
  return { ...hunk, path, movePath: resolveRemote(hunk.movePath, call.at) };
}

async function withLocks<T>(host: ToolHost, paths: string[], work: () => Promise<T>): Promise<T> {
  const [path, ...rest] = paths;
  if (path === undefined) return await work();
  return await host.locks.run(path, () => withLocks(host, rest, work));
}

async function apply(host: ToolHost, call: Call, hunks: Hunk[]): Promise<CallResult> {
  const files = await readAll(call, hunks);
  const changes = plan(hunks, files);
  const relative = (path: string) => relativeRemote(path, call.at);
  const diff = changes.map((change) => `${change.patch}\n`).join("");
  const described = changes.map((change) => ({
    filePath: change.path,
    relativePath: relative(change.movePath ?? change.path),
    type: change.type,
    patch: change.patch,
    additions: change.additions,
    deletions: change.deletions,
    ...(change.movePath ? { movePath: change.movePath } : {}),
  }));
  const patterns = changes.map((change) => relative(change.path));
  const metadata = { filepath: patterns.join(", "), diff, files: described };
  await call.context.ask({ permission: "edit", patterns, always: ["*"], metadata });
  await writeAll(host, call, changes, files);
  const letters = { add: "A", delete: "D", update: "M", move: "M" };
  const lines = changes.map((change) => `${letters[change.type]} ${relative(change.movePath ?? change.path)}`);
  const output = `Success. Updated the following files:\n${lines.join("\n")}`;
  return { title: output, output, metadata: { diff, files: described, diagnostics: {} } };
}

async function readAll(call: Call, hunks: Hunk[]): Promise<Map<string, CachedFile | Error>> {
  const paths = [...new Set(hunks.filter((hunk) => hunk.type !== "add").map((hunk) => hunk.path))];
  const files = new Map<string, CachedFile | Error>();
  if (paths.length === 0) return files;
  const steps = paths.map((path): BatchStep => ({ op: "read", path }));
  const results = await call.session.batch(steps, call.options);
  for (const [index, path] of paths.entries()) {
    const result = results[index];
    if (!result?.ok) files.set(path, result?.error ?? new Error("the host left it out"));
    else files.set(path, { text: decodeText(result.data ?? new Uint8Array()), tag: result.tag ?? "" });
  }
  return files;
}

function plan(hunks: Hunk[], files: Map<string, CachedFile | Error>): PlannedChange[] {
  let unread: unknown;
  try {
    return planPatch(hunks, (path, purpose) => {
      const file = files.get(path);
      if (file !== undefined && !(file instanceof Error)) return file.text;
      unread = cannotRead(path, purpose, file);
      throw unread;
    });
  } catch (error) {
    throw error === unread ? error : new Error(`apply_patch verification failed: ${error}`);
  }
}

/** A path that was refused says so itself. */
function cannotRead(path: string, purpose: "update" | "delete", error: Error | undefined): Error {
  const code = codeOf(error);
  if (error && code !== "ENOENT" && code !== "EISDIR") return error;
  const reason = purpose === "update" ? "Failed to read file to update" : (error?.message ?? "no such file");
  return new Error(`apply_patch verification failed: ${reason}: ${path}`);
}

async function writeAll(
  host: ToolHost,
  call: Call,
  changes: PlannedChange[],
  files: Map<string, CachedFile | Error>,
): Promise<void> {
  const touched = new Set<string>();
  // only the first step on a file finds the version that was read
  const tagOf = (path: string) => {
    const file = touched.has(path) ? undefined : files.get(path);
    touched.add(path);
    return file === undefined || file instanceof Error ? {} : { ifMatch: file.tag };
  };
  const steps: BatchStep[] = changes.flatMap((change): BatchStep[] => {
    const data = new TextEncoder().encode(change.text);
    if (change.type === "delete") return [{ op: "remove", path: change.path, ...tagOf(change.path) }];
    if (change.type === "update") return [{ op: "write", path: change.path, data, ...tagOf(change.path) }];
    const write: BatchStep = { op: "write", path: change.movePath ?? change.path, data, parents: true };
    if (change.type === "add") return [write];
    return [write, { op: "remove", path: change.path, ...tagOf(change.path) }];
  });
  for (const change of changes) {
    for (const path of [change.path, change.movePath]) if (path) host.cache.delete(call.context.sessionID, path);
  }
  const results = await call.session.batch(steps, { ...call.options, stop: true });
  const failed = results.findIndex((result) => !result.ok);
  if (failed === -1) return;
  const result = results[failed];
  const error = result && !result.ok ? result.error : new Error("the host left a step out");
  if (failed === 0) throw error;
  const done = steps.slice(0, failed).map((step) => (step.op === "move" ? step.to : step.path));
  throw new Error(`${error.message}\nAlready done before that: ${done.join(", ")}`, { cause: error });
}
