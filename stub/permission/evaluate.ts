// The rule, pure: what was approved passes, everything else asks.
import { isWithin } from "../../protocol/paths.js";
import type { Access } from "../../protocol/workspace.js";

export interface Rule {
  /** Canonical real path. */
  path: string;
  access: Access;
  /** A directory stands for all below it, a file for itself. */
  kind: "directory" | "file";
}

/** `path` is a canonical real path. Write includes read; read never implies write. */
export function covers(rule: Rule, path: string, access: Access): boolean {
  if (access === "write" && rule.access !== "write") return false;
  return rule.kind === "directory" ? isWithin(path, rule.path) : path === rule.path;
}
