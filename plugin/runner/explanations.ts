// What may be behind a command's failure, as far as the host knows: lines for the model and for people.
import type { AskedPath } from "../../protocol/permission.js";
import type { CommandResult } from "./runner.js";

/** Of what was refused so many are named. */
const NAMED = 10;
/** The shell's own: no such program. */
const NOT_FOUND = 127;

export function explanations({ blocked = [], hidden = [], setuid = [], exit, enforcement }: CommandResult): string[] {
  if (exit === 0) return [];
  const lines = hidden.map((path) => `not shown to this command: ${path} (not approved)`);
  for (const { operation, path } of blocked.slice(0, NAMED)) lines.push(`refused: ${operation} ${path} (not approved)`);
  if (blocked.length > NAMED) lines.push(`refused: ${blocked.length - NAMED} more`);
  // A sudo that is not there does not work unconfined either.
  if (setuid.length > 0 && exit !== NOT_FOUND) {
    const names = setuid.join(", ");
    lines.push(
      `hint: ${names} gains no rights at level ${enforcement.level}; run the command unconfined, which its user is asked for each time`,
    );
  }
  return lines;
}

/** It failed, and was refused something that could only be asked for afterwards. */
export function mayRunAgain({ blocked = [], exit, aborted, timedOut }: CommandResult): boolean {
  return exit !== null && exit !== 0 && !aborted && !timedOut && blocked.some(({ operation }) => operation !== "open");
}

/** After the user said yes to it. */
export function runAgainText(paths: AskedPath[]): string {
  const all = paths.map(({ access, path }) => `${access} ${path}`).join(", ");
  return `the user has approved what it was refused (${all}); nothing was run again: run the same command again if that is still right`;
}
