// One attempt of a command to reach what was not approved. The driver (driver/main.c) runs its scripts in a fresh arena:
//   $HOME                     not approved; it holds
//   $OUT/secret               a fresh random secret ($SECRET), $OUT/dir/secret the same
//   $OUT/target               a file to be changed ($TARGET)
//   $HOME/ws-other/secret     beside the workspace, with a name that begins like its
//   $RUN                      where bystanders keep what is theirs
//   $WS, $TMPDIR              approved, read and write; $WS is the working directory
//   $LIB, $BUNDLE             approved, read; $MISCHIEF is a tool in there (mischief/)
import type { Gap } from "../../../protocol/gaps.js";

export interface Attack {
  /** Unique in its class. */
  name: string;
  /**
   * How success shows. `read`: the secret is in its output, or in a file inside. `wrote`: a name, a link or bytes outside changed.
   * `changed`: mode, owner, time or attributes of something outside did. `said`: a script printed ESCAPED, where there is nothing
   * to read or write.
   */
  seen: "read" | "wrote" | "changed" | "said";
  /** Scripts of bash. `attack` and `again` run confined, by the same policy; the others as the user. */
  attack: string;
  again?: string;
  setup?: string;
  after?: string;
  /** Fails where the machine has not what the attack needs, or where its kernel refuses it to everybody. */
  needs?: string;
  /** Further approvals, `KIND PATH` with the path below the home, of what is there after `setup`. */
  grants?: string[];
  /** Options of the policy. */
  options?: "no-network"[];
  /** Open when the command starts: `FD MODE PATH`, r(ead), w(rite), a(ppend), d(irectory) or p(ath). */
  descriptors?: string[];
  /** A deed of `mischief` that stands before the confined command. */
  wrap?: string;
  /** It succeeds where this gap is named (protocol/gaps.ts), and nowhere else. Without one it must not succeed. */
  gap?: Gap;
  /** It is no attack: it must work at every level. */
  works?: true;
  /** The same, but where this gap is named it is lost. */
  lost?: Gap;
  /** Only root can do it unconfined. */
  root?: true;
  /** Says something of the user's processes, names or terminals, not of files: not for the run as root. */
  user?: true;
}

export interface AttackClass {
  name: string;
  attacks: Attack[];
}

type More = Omit<Partial<Attack>, "name" | "seen" | "attack">;
export const reads = (name: string, attack: string, more: More = {}): Attack => ({
  name,
  seen: "read",
  attack,
  ...more,
});
export const writes = (name: string, attack: string, more: More = {}): Attack => ({
  name,
  seen: "wrote",
  attack,
  ...more,
});
export const changes = (name: string, attack: string, more: More = {}): Attack => ({
  name,
  seen: "changed",
  attack,
  ...more,
});
export const says = (name: string, attack: string, more: More = {}): Attack => ({
  name,
  seen: "said",
  attack,
  ...more,
});

/** For `needs`. */
export const tools = (...names: string[]): string => names.map((name) => `command -v ${name} >/dev/null`).join(" && ");
