// How far the changes of one path can be taken back, or made again: each only from the state that it left (or found), so that
// nothing of anybody else's is lost. Pure.
import type { FileState } from "../files/change-recorder.js";
import { isSame } from "./file-state.js";

export interface Step {
  before: FileState;
  after: FileState;
}

export interface Plan<S extends Step> {
  /** What is to be at the path. */
  goal: FileState;
  /** Those that lead there from what is there now. */
  steps: S[];
  /** Those that nothing is to be done for: it is as they want it. */
  idle: S[];
  /** The rest: what they start from is not there. */
  left: S[];
}

/** `steps` newest first. */
export function planUndo<S extends Step>(now: FileState, steps: S[]): Plan<S> {
  return walk(
    now,
    steps,
    (step) => step.after,
    (step) => step.before,
  );
}

/** `steps` oldest first. */
export function planRedo<S extends Step>(now: FileState, steps: S[]): Plan<S> {
  return walk(
    now,
    steps,
    (step) => step.before,
    (step) => step.after,
  );
}

type Side<S> = (step: S) => FileState;

function walk<S extends Step>(now: FileState, all: S[], from: Side<S>, to: Side<S>): Plan<S> {
  const first = all[0];
  const already = first === undefined || isSame(now, from(first)) ? 0 : alreadyDone(now, all, from, to);
  const plan: Plan<S> = { goal: now, steps: [], idle: all.slice(0, already), left: [] };
  for (const [index, step] of all.entries()) {
    if (index < already) continue;
    if (isSame(plan.goal, from(step))) {
      plan.goal = to(step);
      plan.steps.push(step);
    } else if (isSame(plan.goal, to(step))) {
      plan.idle.push(step);
    } else {
      plan.left = all.slice(index);
      break;
    }
  }
  return plan;
}

/** How many of them have been done: a stub was killed behind them, or somebody did the same. */
function alreadyDone<S extends Step>(now: FileState, all: S[], from: Side<S>, to: Side<S>): number {
  let done = 0;
  for (const [index, step] of all.entries()) {
    const before = all[index - 1];
    if (before !== undefined && !isSame(to(before), from(step))) break;
    if (isSame(now, to(step))) done = index + 1;
  }
  return done;
}
