// HOST, HOST:PATH and CMD… as people type them.
import { usage } from "./arguments.js";

/** Exactly one word: the host. */
export function hostOf(words: string[], command: string): string {
  const [host, extra] = words;
  if (host === undefined || host === "") throw usage(`${command} needs a HOST`);
  if (extra !== undefined) throw usage(`${command} takes one HOST; what is "${extra}"?`);
  return host;
}

/** `web:/srv/app` → both; `ops@web:2222` is a port, `[::1]:22:~/x` an address with port and path. A path is absolute, `~` or below it. */
export function splitHostPath(word: string): { host: string; path: string | undefined } {
  const match = /^(\[[^\]]*\](?::\d+)?|[^:[\]]*(?::\d+(?=:|$))?)(?::(.*))?$/s.exec(word);
  const [, host = word, path] = match ?? [];
  if (path === undefined || path === "") return { host, path: undefined };
  return { host, path: hostPath(path) };
}

/** Relative paths are below the home, as with scp. */
export function hostPath(path: string): string {
  if (path.includes("\0")) throw usage("a path holds NUL");
  if (path.startsWith("/") || path === "~" || path.startsWith("~/")) return path;
  return `~/${path}`;
}

/** One word that only a shell can read is text for it; everything else is a program with its arguments. */
export function commandOf(words: string[]): { command: string } | { program: string; args: string[] } {
  const [first, ...args] = words;
  if (first === undefined || first === "") throw usage("exec needs a command: exec HOST -- CMD...");
  if (args.length === 0 && /[^A-Za-z0-9_@%+=:,./-]/.test(first)) return { command: first };
  return { program: first, args };
}
