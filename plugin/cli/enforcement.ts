// How a host holds its commands, for people at a terminal.
import type { Enforcement } from "../../protocol/health.js";
import type { Remote } from "../compose.js";
import { enforcementText, gapLines, isLower } from "../runner/enforcement-text.js";
import { printable } from "./printable.js";

/** A warning where this host held its commands better when it was last seen; it is remembered. */
export async function lowerWarning(
  remote: Pick<Remote, "enforcementSeen">,
  host: string,
  enforcement: Enforcement,
): Promise<string | undefined> {
  const { level, landlockAbi } = enforcement;
  // a file that cannot be read or written must not cost the command its status
  const before = await remote.enforcementSeen(host, { level, landlockAbi }).catch(() => undefined);
  if (before === undefined || !isLower(enforcement, before)) return undefined;
  return `warning: ${printable(host)} holds commands less than before (${before.level}): ${printable(enforcementText(enforcement))}`;
}

/** The level, what it does not hold, and whether it was better before. */
export async function enforcementLines(
  remote: Pick<Remote, "enforcementSeen">,
  host: string,
  enforcement: Enforcement,
): Promise<string[]> {
  const { level, landlockAbi } = enforcement;
  const before = await remote.enforcementSeen(host, { level, landlockAbi });
  return [
    `  ${printable(enforcementText(enforcement))}`,
    ...gapLines(enforcement).map((line) => `    ${printable(line)}`),
    ...(before !== undefined && isLower(enforcement, before) ? [`  this is lower than before: ${before.level}`] : []),
  ];
}
