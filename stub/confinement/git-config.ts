// What git reads of the home before anything else, and dies of where it may not: its own settings, and the files that they name.
// Read only, and only these: credentials lie beside them.
import { readFileSync, realpathSync } from "node:fs";
import { basename, join } from "node:path";

/** Of one settings file; longer ones are somebody's mistake. */
const LENGTH = 256 * 1024;
const FILES = 32;
const SETTINGS = /^\.?git(?:config|ignore|attributes)[\w.-]*$/i;
const NAMED = /^\s*(path|excludesfile|attributesfile)\s*=\s*(.+?)\s*$/i;

export interface GitHome {
  /** Canonical. */
  home: string;
  /** Of the login environment. */
  configHome?: string | undefined;
}

export interface GitSettings {
  /** Canonical paths of files that are there. */
  files: string[];
  /** The user's `.gitconfig`, where that name is a link: a view that holds only what was approved does not have the link. */
  linked?: string | undefined;
}

export function gitSettings({ home, configHome }: GitHome): GitSettings {
  const own = join(home, ".gitconfig");
  const xdg = join(configHome || join(home, ".config"), "git");
  const settings = [own, join(xdg, "config")];
  const files = new Set<string>();
  for (const path of [...settings, join(xdg, "ignore"), join(xdg, "attributes")]) add(files, path);
  for (const path of settings) for (const named of namedBy(path, home)) add(files, named);
  const real = realOf(own);
  return { files: [...files], linked: real !== undefined && real !== own ? real : undefined };
}

/**
 * Only what is called as git's settings are: else whoever may write one of them could name any file of the home and read it
 * without having been asked for.
 */
function add(files: Set<string>, path: string): void {
  const real = realOf(path);
  if (real === undefined || files.size >= FILES) return;
  const isSettings = SETTINGS.test(basename(real)) || /\/git\/(?:config|ignore|attributes)$/.test(real);
  if (isSettings && !/credential|secret|token/i.test(basename(real))) files.add(real);
}

function* namedBy(path: string, home: string): Iterable<string> {
  let text: string;
  try {
    text = readFileSync(path, "utf8").slice(0, LENGTH);
  } catch {
    return; // what we cannot read git cannot read either
  }
  for (const line of text.split("\n")) {
    const value = NAMED.exec(line)?.[2]?.replace(/^"(.*)"$/, "$1");
    if (value === undefined) continue;
    if (value.startsWith("~/")) yield join(home, value.slice(2));
    else yield value.startsWith("/") ? value : join(path, "..", value);
  }
}

function realOf(path: string): string | undefined {
  try {
    return realpathSync.native(path);
  } catch {
    return undefined;
  }
}
