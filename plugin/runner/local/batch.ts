// Many file steps, one after the other, as a host does them in one round trip.
import { fromSystem, RemoteError } from "../../../protocol/errors.js";
import type { BatchResult, BatchStep, OperationOptions, RunnerSession } from "../runner.js";

type Files = Pick<RunnerSession, "stat" | "readFile" | "writeFile" | "remove" | "move">;

export async function runSteps(
  files: Files,
  steps: BatchStep[],
  options: OperationOptions & { stop?: boolean },
): Promise<BatchResult[]> {
  const results: BatchResult[] = [];
  for (const step of steps) {
    const failed = options.stop && results.some((result) => !result.ok);
    if (failed) results.push({ ok: false, error: new RemoteError("aborted", "an earlier step failed") });
    else results.push(await runStep(files, step, options));
  }
  return results;
}

async function runStep(files: Files, step: BatchStep, options: OperationOptions): Promise<BatchResult> {
  try {
    if (step.op === "stat") return { ok: true, stat: await files.stat(step.path, options) };
    if (step.op === "read") {
      const { data, tag } = await files.readFile(step.path, { ...options, length: step.maxBytes });
      return { ok: true, data, tag };
    }
    if (step.op === "write") {
      const { ifMatch, parents } = step;
      return { ok: true, written: await files.writeFile(step.path, step.data, { ...options, ifMatch, parents }) };
    }
    if (step.op === "remove") await removeIf(files, step.path, step.ifMatch, options);
    else await files.move(step.from, step.to, { ...options, parents: step.parents });
    return { ok: true };
  } catch (error) {
    return { ok: false, error: fromSystem(error, String(error), "internal") };
  }
}

async function removeIf(
  files: Files,
  path: string,
  ifMatch: string | undefined,
  options: OperationOptions,
): Promise<void> {
  if (ifMatch !== undefined && (await files.stat(path, options)).tag !== ifMatch) {
    throw new RemoteError("conflict", `${path} changed since it was read`);
  }
  await files.remove(path, options);
}
