// POST /file/batch: many steps in one round trip. Every permission is sought before the first step is done, so that a batch
// which has to come back after an ask has not been half done before.
import { codeOf, type ErrorCode, RemoteError } from "../../protocol/errors.js";
import type { BatchRequest, BatchResult, BatchStep, FileView, LookStep } from "../../protocol/file.js";
import type { Access } from "../../protocol/workspace.js";
import type { Target } from "../permission/gate.js";
import { type FileContext, findSpot, refuseOurs } from "./access.js";
import { list } from "./list.js";
import { absolutePath, locate } from "./locate.js";
import { move } from "./move.js";
import { fileError } from "./pin.js";
import { readFile, statFile } from "./read.js";
import { remove } from "./remove.js";
import { view } from "./view.js";
import { writeFile } from "./write.js";

/** What one answer holds, in bytes of JSON; a step that is larger alone is served where it is the first. */
const ANSWER_BYTES = 16 * 1024 * 1024;
/** With `each`: more than this of one step is better asked for alone, as bytes. */
const STEP_BYTES = 1024 * 1024;
/** As many as Node has threads for files. */
const AT_ONCE = 4;

/** Throws `permission_required` (`details.asks` names all), `permission_rejected`: then nothing was done. */
export async function runBatch(context: FileContext, request: BatchRequest): Promise<BatchResult[]> {
  const { steps, stop = false, each = false } = request;
  const looks = steps.every(isLook);
  if (each && (!looks || stop)) throw new RemoteError("invalid_request", "`each` is for steps that only look");
  if (!each) await admit(context, steps);
  const run = new BatchRun(context, steps, { stop, each });
  await Promise.all(Array.from({ length: looks && !stop ? AT_ONCE : 1 }, () => run.work()));
  return run.results;
}

function isLook(step: BatchStep): step is LookStep {
  return step.op === "stat" || step.op === "read" || step.op === "view" || step.op === "list";
}

/** Several workers may take steps from it, in order. */
class BatchRun {
  readonly results: BatchResult[];
  readonly #context: FileContext;
  readonly #steps: BatchStep[];
  readonly #how: { stop: boolean; each: boolean };
  #next = 0;
  #room = ANSWER_BYTES;
  #stopped = false;

  constructor(context: FileContext, steps: BatchStep[], how: { stop: boolean; each: boolean }) {
    this.#context = context;
    this.#steps = steps;
    this.#how = how;
    this.results = new Array<BatchResult>(steps.length);
  }

  async work(): Promise<void> {
    for (;;) {
      const at = this.#next;
      const step = this.#steps[at];
      if (step === undefined) return;
      this.#next += 1;
      this.results[at] = await this.#one(step);
    }
  }

  async #one(step: BatchStep): Promise<BatchResult> {
    if (this.#stopped || this.#context.pass.asker.signal.aborted) {
      return failed("aborted", "not done: a step before it failed");
    }
    if (this.#room <= 0) return failed("deferred", "not done: the answer is full");
    const result = await runStep(this.#context, step, this.#how.each ? STEP_BYTES : undefined);
    const size = sizeOf(result);
    if (this.#how.each && size > STEP_BYTES * 2) return failed("answer_too_large", "too large for a batch");
    this.#room -= size;
    this.#stopped ||= !result.ok && this.#how.stop;
    return result;
  }
}

/** About what it takes in the answer. */
function sizeOf({ base64, view, nodes }: BatchResult): number {
  const shown =
    view === undefined
      ? 0
      : view.type === "text"
        ? (view.content?.length ?? 0) + view.lines.reduce((sum, line) => sum + line.length, 0)
        : view.type === "media"
          ? view.base64.length
          : view.type === "directory"
            ? view.entries.reduce((sum, name) => sum + name.length, 0)
            : 0;
  return 200 + (base64?.length ?? 0) + shown + (nodes?.length ?? 0) * 200;
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
    if (isLook(step)) {
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

async function runStep(context: FileContext, step: BatchStep, most: number | undefined): Promise<BatchResult> {
  try {
    switch (step.op) {
      case "stat":
        return { ok: true, stat: await statFile(context, step.path) };
      case "read": {
        const { data, ...rest } = await readFile(
          context,
          step.path,
          { offset: step.offset, length: step.maxBytes },
          most,
        );
        return { ok: true, base64: data.toString("base64"), ...rest };
      }
      case "view":
        return withoutCopy(await view(context, step));
      case "list":
        return { ok: true, nodes: await list(context, step.path) };
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

/** Most texts are shown whole: their content need not be sent beside their lines. */
function withoutCopy(shown: FileView): BatchResult {
  if (shown.type !== "text" || shown.content === undefined || shown.lineStart !== 1) return { ok: true, view: shown };
  const { content, ...rest } = shown;
  const joined = shown.lines.join("\n");
  for (const ending of ["\n", ""] as const) {
    if (content.length === joined.length + ending.length && content === joined + ending)
      return { ok: true, view: rest, ending };
  }
  return { ok: true, view: shown };
}

function failed(code: ErrorCode, message: string): BatchResult {
  return { ok: false, error: new RemoteError(code, message).toWire() };
}
