// The results as a table of docs/security.md: class × level. What is not blocked bears the name of its gap.
import type { EnforcementLevel } from "../../../protocol/health.js";
import { gapsOf } from "../../../stub/confinement/gaps.js";
import { expected } from "./expected.js";
import type { Outcome } from "./results.js";

export interface Column {
  level: EnforcementLevel;
  landlockAbi: number;
  outcomes: Outcome[];
}

export function tableOf(columns: Column[]): string {
  const classes = [...new Set(columns.flatMap(({ outcomes }) => outcomes.map(({ named }) => named.className)))];
  const rows = classes.map((name) => {
    const own = columns.map((column) => ({
      ...column,
      outcomes: column.outcomes.filter(({ named }) => named.className === name),
    }));
    return [name, String(own[0]?.outcomes.length ?? 0), ...own.map(cellOf)];
  });
  const head = ["class", "attacks", ...columns.map(({ level }) => `\`${level}\``)];
  return [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

function cellOf(column: Column): string {
  const { outcomes } = column;
  const lost = outcomes.filter(({ result, named }) => result === "blocked" && isUse(named.attack));
  if (outcomes.length > 0 && outcomes.every(({ named }) => isUse(named.attack))) {
    return lost.length === 0 ? "works" : `all but ${gapNames(lost, column)}`;
  }
  const through = outcomes.filter((outcome) => !isUse(outcome.named.attack) && isThrough(outcome, column));
  if (through.length === 0) return "blocked";
  const others = outcomes.length - through.length;
  return `${others === 0 ? "" : `${others} blocked, `}${through.length} through: ${gapNames(through, column)}`;
}

function isUse({ works, lost }: Outcome["named"]["attack"]): boolean {
  return works === true || lost !== undefined;
}

/** Who wins a race says nothing: that it can be won counts. */
function isThrough({ result, named }: Outcome, { level, landlockAbi }: Column): boolean {
  return result === "escaped" || expected(named, { level, landlockAbi, ask: false }) === "either";
}

function gapNames(outcomes: Outcome[], { level, landlockAbi }: Column): string {
  const named = outcomes.map(({ named: each }) => {
    if (expected(each, { level, landlockAbi, ask: false }) === "either") return "`race`";
    const gap = each.attack.gap ?? each.attack.lost;
    const network = !each.attack.options?.includes("no-network");
    return gap !== undefined && gapsOf({ level, landlockAbi, ask: false, network }).includes(gap)
      ? `\`${gap}\``
      : "no boundary";
  });
  return [...new Set(named)].join(", ");
}
