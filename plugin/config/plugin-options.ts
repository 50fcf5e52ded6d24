// For the CLI: the options of the plugin's entry in the user's OpenCode configuration. (OpenCode itself hands them to the plugin.)
import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type ParseError, parse, printParseErrorCode } from "jsonc-parser";
import { codeOf, RemoteError } from "../../protocol/errors.js";

const PACKAGE = "opencode-remote-ssh";
/** What `npm pack` makes. */
const PACKED = /^opencode-remote-ssh-\d[^/]*\.tgz$/;
/** OpenCode reads all of them, the later over the earlier. */
const FILES = ["config.json", "opencode.json", "opencode.jsonc"];

export interface FoundOptions {
  /** The file and entry where the plugin stands. */
  file: string;
  index: number;
  /** As written; undefined: the entry has none. */
  options: unknown;
}

/** `$XDG_CONFIG_HOME/opencode`, else `~/.config/opencode`. */
export function openCodeDirectory(env: Record<string, string | undefined>, home: string): string {
  return join(env.XDG_CONFIG_HOME || join(home, ".config"), "opencode");
}

/** Undefined when no file in `directory` names the plugin. Throws `config_invalid` for a file that does not parse. */
export function readPluginOptions(directory: string): FoundOptions | undefined {
  let found: FoundOptions | undefined;
  for (const name of FILES) {
    const file = join(directory, name);
    const text = readIfThere(file);
    if (text === undefined) continue;
    const entries = pluginEntries(file, text);
    for (const [index, entry] of entries.entries()) {
      const [spec, options] = Array.isArray(entry) ? entry : [entry, undefined];
      if (typeof spec === "string" && isOurs(spec, directory)) found = { file, index, options };
    }
  }
  return found;
}

/** `opencode-remote-ssh`, with a version or not, or a path to a package of this name, packed (`npm pack`) or not. */
export function isOurs(spec: string, directory: string): boolean {
  if (spec === PACKAGE || spec.startsWith(`${PACKAGE}@`)) return true;
  const path = pathOf(spec, directory);
  if (path === undefined) return false;
  return path.endsWith(".tgz") ? PACKED.test(basename(path)) : packageName(path) === PACKAGE;
}

function pathOf(spec: string, directory: string): string | undefined {
  if (spec.startsWith("file://")) return fileURLToPath(spec);
  if (spec.startsWith("file:")) return resolve(directory, spec.slice("file:".length));
  if (spec.startsWith("/")) return spec;
  return spec.startsWith(".") ? join(directory, spec) : undefined;
}

function pluginEntries(file: string, text: string): unknown[] {
  const errors: ParseError[] = [];
  const root: unknown = parse(text, errors, { allowTrailingComma: true });
  const error = errors[0];
  if (error !== undefined) {
    const line = text.slice(0, error.offset).split("\n").length;
    throw new RemoteError("config_invalid", `${file}:${line}: ${printParseErrorCode(error.error)}`, {
      details: { file, line },
    });
  }
  if (typeof root !== "object" || root === null || !("plugin" in root)) return [];
  return Array.isArray(root.plugin) ? root.plugin : [];
}

/** Name of the package that a file or directory belongs to. */
function packageName(path: string): string | undefined {
  for (let directory = path; ; directory = dirname(directory)) {
    const file = join(directory, "package.json");
    if (existsSync(file)) {
      const parsed: unknown = parse(readFileSync(file, "utf8"));
      return typeof parsed === "object" && parsed !== null && "name" in parsed ? String(parsed.name) : undefined;
    }
    if (directory === dirname(directory)) return undefined;
  }
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if (codeOf(error) === "ENOENT" || codeOf(error) === "ENOTDIR") return undefined;
    throw new RemoteError("config_invalid", `${file}: cannot be read (${codeOf(error)})`, { cause: error });
  }
}
