// All attacks of the escape suite that need nothing but the helper; those on the stub itself are in test/kernel/stub-attacks.test.ts.
import type { Attack, AttackClass } from "./attack.js";
import { allowed } from "./classes/allowed.js";
import { kernel } from "./classes/kernel.js";
import { links } from "./classes/links.js";
import { paths } from "./classes/paths.js";
import { processes } from "./classes/processes.js";
import { programs } from "./classes/programs.js";

export const CLASSES: AttackClass[] = [...paths, ...links, ...programs, ...processes, ...kernel, allowed];

export interface Named {
  /** Also the name of its folder in the bundle. */
  id: string;
  className: string;
  attack: Attack;
}

export const ATTACKS: Named[] = CLASSES.flatMap((each) =>
  each.attacks.map((attack) => ({ id: slug(`${each.name}--${attack.name}`), className: each.name, attack })),
);

/** For a file's name. */
function slug(text: string): string {
  return text
    .replaceAll("..", "dot-dot")
    .replaceAll(/[^A-Za-z0-9]+/g, (part) => (part.includes("--") ? "--" : "-"))
    .replace(/^-/, "");
}
