// A terminal under the same rules as a command: its program is started by the helper, which reads the policy from a file of ours and
// becomes it. Nothing is asked there (nobody supervises it), and its shell may read the user's own startup files.
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Enforcement } from "../../protocol/health.js";
import type { Granted } from "../confinement/entries.js";
import { checkedHelper } from "../helper-binary.js";

export interface HeldTerminal {
  enforcement: Enforcement;
  /** Absolute path of the helper binary. */
  helper: string;
  /** Undefined: nothing is applied. */
  policy: Buffer | undefined;
  /** Over the login's environment. */
  variables: Record<string, string>;
}

export interface TerminalProgram {
  file: string;
  args: string[];
  /** For when it has ended: what it read, should it not have come so far. */
  ended(): void;
}

/** `cwd`: canonical. `folder`: ours, made if it is missing. */
export function heldProgram(
  held: HeldTerminal,
  program: { id: string; file: string; args: string[]; cwd: string; folder: string },
): TerminalProgram {
  const { id, file, args, cwd, folder } = program;
  const { level } = held.enforcement;
  if (held.policy === undefined) return { file, args, ended: () => undefined };
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, `${id}.policy`);
  writeFileSync(path, held.policy, { mode: 0o600 });
  // A view has its own directories: the one to stand in is found again there, by its name.
  const place = level === "mount" || level === "mount+landlock" ? ["--cwd", cwd] : [];
  return {
    file: checkedHelper(held.helper),
    args: ["confine", "--level", level, "--policy-once", path, ...place, "--", file, ...args],
    ended: () => rmSync(path, { force: true }),
  };
}

/** What shells read when they start. Their variables were the login's already, which every command gets. */
const STARTUP = [
  ".profile",
  ".bash_profile",
  ".bash_login",
  ".bashrc",
  ".bash_aliases",
  ".bash_logout",
  ".inputrc",
  ".zshenv",
  ".zprofile",
  ".zshrc",
  ".zlogin",
  ".cshrc",
  ".tcshrc",
  ".login",
  ".vimrc",
];

export function startupFiles(home: string): Granted[] {
  return STARTUP.map((name) => ({ path: join(home, name), access: "read", kind: "file" }));
}
