// What is expected of an attack at a level: the gaps that the product itself names there (stub/confinement/gaps.ts), each proven.
import { type GapFacts, gapsOf } from "../../../stub/confinement/gaps.js";
import type { Named } from "./catalogue.js";

export type Where = Omit<GapFacts, "network">;
export type Expected = "escaped" | "blocked" | "either";

/** Level `guard` is no boundary: what gets through it beside its named gaps, by luck (`either`, gap `race`) or always. */
const AT_GUARD: Record<string, Expected> = {
  "symlinks-made-inside--swapped-while-it-is-opened": "either",
  "symlinks-made-inside--a-directory-swapped-while-it-is-walked": "either",
  "other-ABIs-and-io-uring--a-path-that-changes-in-memory": "either",
  "other-terminals--write-to-it": "escaped",
  "other-terminals--read-what-is-typed": "escaped",
  "tmux-and-ssh-agent-sockets--tmux-with-its-socket-inside": "escaped",
  "tmux-and-ssh-agent-sockets--ssh-agent-with-its-socket-inside": "escaped",
  "tmux-and-ssh-agent-sockets--a-server-that-hands-over-an-open-file": "escaped",
  "abstract-sockets--without-connect": "escaped",
  "signals--by-the-owner-of-a-pipe": "escaped",
  "System-V-and-POSIX-queues-and-memory--POSIX-queue": "escaped",
};

export function expected({ id, attack: { works, lost, gap, options } }: Named, where: Where): Expected {
  const atGuard = where.level === "guard" ? AT_GUARD[id] : undefined;
  if (atGuard !== undefined) return atGuard;
  const gaps = gapsOf({ ...where, network: !options?.includes("no-network") });
  if (works) return "escaped";
  if (lost !== undefined) return gaps.includes(lost) ? "blocked" : "escaped";
  return gap !== undefined && gaps.includes(gap) ? "escaped" : "blocked";
}
