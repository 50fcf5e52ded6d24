// POST /file/batch: many steps in one round trip. Every permission is sought before the first step is done, so that a batch
// which has to come back after an ask has not been half done before.
import { codeOf, type ErrorCode, RemoteError } from "../../protocol/errors.js";
import type { BatchRequest, BatchResult, BatchStep } from "../../protocol/file.js";
import type { Access } from "../../protocol/workspace.js";
import type { Target } from "../permission/gate.js";
import { type FileContext, findSpot, refuseOurs } from "./access.js";
import { absolutePath, locate } from "./locate.js";
import { move } from "./move.js";
import { fileError } from "./pin.js";
import { readFile, statFile } from "./read.js";
import { remove } from "./remove.js";
import { writeFile } from "./write.js";

/** Throws `permission_required` (`details.asks` names all), `permission_rejected`: then nothing was done. */
export async function runBatch(context: FileContext, { steps, stop }: BatchRequest): Promise<BatchResult[]> {
  await admit(context, steps);
  const results: BatchResult[] = [];
  let stopped = false;
  for (const step of steps) {
    if (stopped || context.pass.asker.signal.aborted) {
      results.push(failed("aborted", "not done: a step before it failed"));
      continue;
    }
    const result = await runStep(context, step);
    results.push(result);
    stopped = !result.ok && stop === true;
  }
  return results;
}

async function admit(context: FileContext, steps: BatchStep[]): Promise<void> {
  const wanted = new Map<string, { target: Target; access: Access }>();
  for (const step of steps) {
    for (const want of await wantsOf(context, step)) wanted.set(`${want.access}\0${want.target.path}`, want);
  }
  await context.pass.requireAll([...wanted.values()], "a batch of file operations");
}

/** What a step will need; nothing where the step fails anyway (it says so itself when it is its turn). */
async function wantsOf(context: FileContext, step: BatchStep): Promise<{ target: Target; access: Access }[]> {
  try {
    if (step.op === "stat" || step.op === "read") {
      const located = await locate(absolutePath(step.path, context.base));
      await using pinned = located.found ? located.pin : located.ancestor;
      refuseOurs(context, located.real);
      const kind = located.found && pinned.kind === "directory" ? "directory" : "file";
      return [{ target: { path: located.real, kind }, access: "read" }];
    }
    const paths = step.op === "move" ? [step.from, step.to] : [step.path];
    const wants: { target: Target; access: Access }[] = [];
    for (const path of paths) {
      await using spot = await findSpot(context, path, step.op === "write");
      refuseOurs(context, spot.real);
      wants.push({ target: { path: spot.real, kind: "file" }, access: "write" });
    }
    return wants;
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return [];
  }
}

async function runStep(context: FileContext, step: BatchStep): Promise<BatchResult> {
  try {
    switch (step.op) {
      case "stat":
        return { ok: true, stat: await statFile(context, step.path) };
      case "read": {
        const { data, tag } = await readFile(context, step.path, { length: step.maxBytes });
        return { ok: true, base64: data.toString("base64"), tag };
      }
      case "write": {
        const { path, ifMatch, parents } = step;
        const data = Buffer.from(step.base64, "base64");
        return { ok: true, written: await writeFile(context, { path, data, ifMatch, parents }) };
      }
      case "remove":
        await remove(context, { path: step.path, ifMatch: step.ifMatch });
        return { ok: true };
      case "move":
        await move(context, { from: step.from, to: step.to, parents: step.parents });
        return { ok: true };
    }
  } catch (error) {
    return { ok: false, error: fileError(error, "path" in step ? step.path : step.from).toWire() };
  }
}

function failed(code: ErrorCode, message: string): BatchResult {
  return { ok: false, error: new RemoteError(code, message).toWire() };
}
