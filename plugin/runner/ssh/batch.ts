// Many file steps in one round trip. A step that must ask is done again alone once it is answered; the others are not repeated.
import { RemoteError } from "../../../protocol/errors.js";
import type {
  BatchAnswer,
  BatchRequest,
  BatchResult as WireResult,
  BatchStep as WireStep,
} from "../../../protocol/file.js";
import type { BatchResult, BatchStep } from "../runner.js";
import { type AskContext, answer, withAsks } from "./asking.js";

type Send = (body: BatchRequest) => Promise<BatchAnswer>;

export async function runBatch(
  context: AskContext,
  steps: BatchStep[],
  stop: boolean,
  send: Send,
): Promise<BatchResult[]> {
  const results: BatchResult[] = [];
  const answered: string[] = [];
  let open = steps.map((_, index) => index);
  while (open.length > 0) {
    const wire = open.map((index) => toWire(steps[index] as BatchStep));
    // The stub may refuse the whole before it does anything, or single steps.
    const { results: part } = await withAsks(context, (ids) => {
      const permissionIDs = [...answered, ...ids];
      return send({
        steps: wire,
        onAsk: "fail",
        ...(stop ? { stop } : {}),
        ...(permissionIDs.length === 0 ? {} : { permissionIDs }),
      });
    });
    if (part.length !== open.length) throw new RemoteError("internal", "the stub answered another number of steps");
    const again: number[] = [];
    for (const [at, index] of open.entries()) {
      const result = fromWire(part[at] as WireResult);
      results[index] = result;
      if (result.ok) continue;
      if (result.error.code === "permission_required" && context.onAsk !== undefined) {
        const replied = await settle(context, result.error as RemoteError);
        if (Array.isArray(replied)) {
          answered.push(...replied);
          again.push(index);
        } else {
          results[index] = { ok: false, error: replied };
          if (stop) break;
        }
      } else if (result.error.code === "deferred" || (stop && result.error.code === "aborted" && again.length > 0)) {
        again.push(index);
      }
    }
    // With `stop`, steps behind a refused one that stays refused are reported as they are: not done.
    for (const [at, index] of open.entries()) results[index] ??= fromWire(part[at] as WireResult);
    open = again;
  }
  return results;
}

/** The ids of the asks, or the rejection as this step's own error. */
async function settle(context: AskContext, refusal: RemoteError): Promise<string[] | RemoteError> {
  try {
    return await answer(context, refusal);
  } catch (error) {
    if (error instanceof RemoteError && error.code === "permission_rejected") return error;
    throw error;
  }
}

function toWire(step: BatchStep): WireStep {
  if (step.op !== "write") return step;
  const { data, ...rest } = step;
  return { ...rest, base64: Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64") };
}

function fromWire(result: WireResult): BatchResult {
  if (!result.ok) return { ok: false, error: RemoteError.fromWire(result.error, 500) };
  const { stat, base64, tag, written } = result;
  return {
    ok: true,
    ...(stat === undefined ? {} : { stat }),
    ...(base64 === undefined ? {} : { data: new Uint8Array(Buffer.from(base64, "base64")) }),
    ...(tag === undefined ? {} : { tag }),
    ...(written === undefined ? {} : { written }),
  };
}
