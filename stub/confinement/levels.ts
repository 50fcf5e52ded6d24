// Which level this host gives: found by trying each of them once, at the stub's start. Never by versions: a kernel that has a
// mechanism may still refuse it (a hardened distribution, a container's own filter).
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { type Static, Type } from "typebox";
import { Check } from "typebox/value";
import { RemoteError } from "../../protocol/errors.js";
import type { Enforcement, EnforcementLevel } from "../../protocol/health.js";
import { checkedHelper } from "../helper-binary.js";
import { gapsOf } from "./gaps.js";

const run = promisify(execFile);

const Trial = Type.Object({
  ok: Type.Boolean(),
  reason: Type.Optional(Type.String()),
  /** False: a command sees the host's processes, because no `/proc` of its own can be mounted (some containers). */
  processes: Type.Optional(Type.Boolean()),
});

/** What `helper confine --probe` prints. */
const Trials = Type.Object({
  landlockAbi: Type.Integer({ minimum: 0 }),
  /** A blocked call can be paused, and be answered with a descriptor. */
  notify: Type.Boolean(),
  levels: Type.Object({
    "mount+landlock": Trial,
    landlock: Trial,
    mount: Trial,
    guard: Trial,
  }),
});
export type Trials = Static<typeof Trials>;
type Tried = keyof Trials["levels"];

/** Best first. */
const ORDER: Tried[] = ["mount+landlock", "landlock", "mount", "guard"];
const LIMIT_MS = 10_000;

export interface Levels {
  /** What commands get unless their workspace wants otherwise. */
  level: EnforcementLevel;
  ask: boolean;
  landlockAbi: number;
  /** False: at this level with `mount` commands have no pid namespace. */
  processes?: boolean | undefined;
  /** Why it is no better. */
  reason?: string | undefined;
  /** The trial itself went wrong: what was found out is too little, not too much. */
  problem?: string | undefined;
}

/** Never throws. `forced`: the level that the operator named; throws `enforcement_unavailable` where it does not work here. */
export async function findLevels(helper: string, forced?: EnforcementLevel): Promise<Levels> {
  let trials: Trials;
  try {
    trials = await tryAll(helper);
  } catch (error) {
    const problem = `what this host can enforce could not be tried: ${messageOf(error)}`;
    if (forced !== undefined && !isUntried(forced)) throw unavailable(forced, problem);
    return { level: forced ?? "static", ask: false, landlockAbi: 0, reason: problem, problem };
  }
  return chooseLevel(trials, forced);
}

/** Throws `enforcement_unavailable` for a forced level that does not work. */
export function chooseLevel(trials: Trials, forced?: EnforcementLevel): Levels {
  return forced === undefined ? best(trials) : exactly(forced, trials);
}

/** As everybody is told. */
export function enforcementAt({ level, ask, landlockAbi, processes, reason }: Levels, network: boolean): Enforcement {
  const gaps = gapsOf({ level, ask, landlockAbi, processes, network });
  return { level, ask, landlockAbi, gaps, ...(reason === undefined ? {} : { reason }) };
}

function best({ levels, landlockAbi, notify }: Trials): Levels {
  const level = ORDER.find((each) => levels[each].ok);
  const better = ORDER.slice(0, level === undefined ? ORDER.length : ORDER.indexOf(level));
  const lacking = better.map((each) => `${each}: ${levels[each].reason ?? "does not work"}`).join("; ");
  const reason = lacking === "" ? undefined : lacking;
  if (level === undefined) return { level: "static", ask: false, landlockAbi, reason };
  return { level, ask: level === "guard" || notify, landlockAbi, ...processesOf(levels[level]), reason };
}

function exactly(forced: EnforcementLevel, { levels, landlockAbi, notify }: Trials): Levels {
  const reason = `the stub was started with --level ${forced}`;
  if (isUntried(forced)) return { level: forced, ask: false, landlockAbi, reason };
  if (!levels[forced].ok) throw unavailable(forced, levels[forced].reason ?? "it does not work here");
  return { level: forced, ask: forced === "guard" || notify, landlockAbi, ...processesOf(levels[forced]), reason };
}

function processesOf({ processes }: Static<typeof Trial>): Pick<Levels, "processes"> {
  return processes === undefined ? {} : { processes };
}

async function tryAll(helper: string): Promise<Trials> {
  const { stdout } = await run(checkedHelper(helper), ["confine", "--probe"], {
    timeout: LIMIT_MS,
    killSignal: "SIGKILL",
  });
  const trials: unknown = JSON.parse(stdout);
  if (!Check(Trials, trials)) throw new Error(`an answer that is none: ${stdout.slice(0, 200)}`);
  return trials;
}

function isUntried(level: EnforcementLevel): level is "static" | "off" {
  return level === "static" || level === "off";
}

function unavailable(level: EnforcementLevel, why: string): RemoteError {
  return new RemoteError("enforcement_unavailable", `level ${level} cannot be had on this host: ${why}`, {
    hint: "start without --level, or see `--probe`",
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
