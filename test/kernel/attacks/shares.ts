// Attacks of one level that run at the same time, each share in a home of its own: most of some classes' time is waiting. A class is
// never in two shares, for what its attacks leave with the kernel (keys, queues) may have the same name.
import type { Named } from "./catalogue.js";
import { type Outcome, outcomesOf } from "./results.js";

/** Two shares that wait; what is not named computes, and is the third. */
const WAITING = [
  ["tmux and ssh-agent sockets", "other terminals", "command lines of others"],
  ["daemons", "signals"],
];

/** `run` has one driver try those with the names in `only` (its option), and gives what it said; `share` counts from 0. */
export async function inShares(
  attacks: Named[],
  run: (only: string, share: number) => Promise<string>,
): Promise<Outcome[]> {
  const shareOf = ({ className }: Named) => WAITING.findIndex((classes) => classes.includes(className));
  const shares = [-1, ...WAITING.keys()].map((share) => attacks.filter((named) => shareOf(named) === share));
  const texts = await Promise.all(shares.map((share, index) => run(share.map(({ id }) => id).join(","), index)));
  return outcomesOf(texts.join("\n"), attacks);
}
