// How a host holds its commands, in words: for the user, the model and the command line. Claims no more than is so.
import { GAPS, type Gap } from "../../protocol/gaps.js";
import { type Enforcement, EnforcementLevel, isKernelLevel } from "../../protocol/health.js";

/** One line: the level, who holds it, and what it does not hold, by name. */
export function enforcementText({ level, ask, landlockAbi, gaps, reason }: Enforcement): string {
  const facts = [
    holder(level),
    ...(landlockAbi > 0 && level.includes("landlock") ? [`Landlock ABI ${landlockAbi}`] : []),
    ...(ask ? ["a running command is asked for"] : []),
    ...(gaps.length > 0 ? [`not held: ${gaps.join(", ")}`] : []),
    ...(reason === undefined ? [] : [reason]),
  ];
  return `enforcement ${level}: ${facts.join("; ")}`;
}

/** Each gap with a sentence; of a newer host's only the name is known. */
export function gapLines({ gaps }: Pick<Enforcement, "gaps">): string[] {
  return gaps.map((gap) => (gap in GAPS ? `${gap}: ${GAPS[gap as Gap]}` : gap));
}

function holder(level: EnforcementLevel): string {
  if (isKernelLevel(level)) return "the kernel holds commands to what was approved";
  if (level === "guard") return "stops what an honest command does wrong; no boundary against a hostile command";
  if (level === "static") return "only the command's text is looked at; no boundary against a hostile command";
  return "nothing holds commands to what was approved";
}

/** As far as it counts for whether it is lower. */
export type Seen = Pick<Enforcement, "level" | "landlockAbi">;

/** Weaker than before, for whatever reason. */
export function isLower(now: Seen, before: Seen): boolean {
  const [rank, earlier] = [now, before].map(({ level }) => EnforcementLevel.enum.indexOf(level)) as [number, number];
  if (rank !== earlier) return rank < earlier;
  return now.level.includes("landlock") && now.landlockAbi < before.landlockAbi;
}
