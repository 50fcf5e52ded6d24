// What the driver said of each attack, and whether that is success.
import { ATTACKS, type Named } from "./catalogue.js";
import { expected, type Where } from "./expected.js";

interface Line {
  attack: string;
  /** The machine has not what it needs. */
  missing?: true;
  setup: number;
  status: number;
  again: number;
  timedOut: boolean;
  read: boolean;
  wrote: boolean;
  changed: boolean;
  said: boolean;
  output: string;
}

export interface Outcome {
  named: Named;
  /** `escaped`: it reached what it was after. */
  result: "escaped" | "blocked" | "missing";
  /** For people: what was printed. */
  detail: string;
}

/** From the driver's standard output; throws where an attack is not in it. */
export function outcomesOf(text: string, attacks: Named[] = ATTACKS): Outcome[] {
  const lines = new Map<string, Line>();
  for (const line of text.split("\n")) {
    if (line.startsWith("{")) {
      const parsed: Line = JSON.parse(line);
      lines.set(parsed.attack, parsed);
    }
  }
  return attacks.map((named) => {
    const line = lines.get(named.id);
    if (line === undefined) throw new Error(`the driver said nothing of ${named.id}: ${text.slice(-500)}`);
    // the helper's own statuses for a wrong use and for a level that cannot be had: nothing was tried
    if ([124, 125].includes(line.status) && line.output.includes("confine: ")) throw new Error(JSON.stringify(line));
    return { named, result: resultOf(named, line), detail: JSON.stringify(line) };
  });
}

function resultOf({ attack }: Named, line: Line): Outcome["result"] {
  if (line.missing) return "missing";
  // Whatever it was after: the secret inside, or other bytes outside, is an escape.
  if (line.read || line.wrote) return "escaped";
  return (attack.seen === "changed" && line.changed) || (attack.seen === "said" && line.said) ? "escaped" : "blocked";
}

/** What came out otherwise than expected at that level, in words; an attack that the machine has no tools for says nothing. */
export function surprises(outcomes: Outcome[], where: Where): string[] {
  return outcomes.flatMap(({ named, result, detail }) => {
    const wanted = expected(named, where);
    return result === "missing" || wanted === "either" || wanted === result
      ? []
      : `${result}, not ${wanted}: ${detail}`;
  });
}
