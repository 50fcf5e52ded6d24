// The anchor's `shell`: OpenCode runs it for `!cmd` (`-c CMD`) and for a terminal (no arguments). It must not be named
// bash, zsh or sh, or OpenCode would give it that shell's own arguments. Whatever happens, nothing runs on the laptop.
import { printable } from "./printable.js";

export interface WrapperOptions {
  /** The runtime that is there: the OpenCode binary (run as Bun), or node. */
  execPath: string;
  /** True where `execPath` is a Bun-built program that runs a script only with BUN_BE_BUN=1. */
  isBun: boolean;
  /** Our own CLI, `dist/cli.js`. */
  cliPath: string;
  /** The anchor's record, which names host, directory and workspace. */
  record: string;
  host: string;
}

/** POSIX sh. Exit 255: the command did not run on the host; 1: refused; else the command's own status. */
export function shellWrapper(options: WrapperOptions): string {
  const runtime = options.isBun ? `env BUN_BE_BUN=1 ${quote(options.execPath)}` : quote(options.execPath);
  return `#!/bin/sh
# Written by opencode-remote-ssh: runs on the host what OpenCode would give to a shell of this machine.
command=
given=
while [ $# -gt 0 ]; do
  case $1 in
    -c | -lc | -ic | -lic | -ilc) if [ $# -gt 1 ]; then command=$2; given=1; fi; break ;;
    -*) shift ;;
    *) break ;;
  esac
done
if [ -z "$given" ]; then
  printf '%s\\n' ${quote(`Terminals on ${printable(options.host)} are not there yet; use !command. Nothing was started.`)} >&2
  exit 1
fi
if [ ! -r ${quote(options.record)} ] || [ ! -r ${quote(options.cliPath)} ]; then
  printf '%s\\n' ${quote(`opencode-remote-ssh: the record or the program of this anchor is missing; nothing was run. Open ${printable(options.host)} again.`)} >&2
  exit 255
fi
exec ${runtime} ${quote(options.cliPath)} anchor-shell ${quote(options.record)} -c "$command"
`;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
