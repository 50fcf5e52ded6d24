// A terminal on this machine, by whatever the caller opens terminals with: a native part, which this package has for hosts only.
import { constants } from "node:os";
import { PtyListeners } from "../pty-listeners.js";
import type { OpenPtyRequest, RunnerPty } from "../runner.js";

export interface LocalTerminal {
  pid: number;
  write(text: string): void;
  resize(size: { cols: number; rows: number }): void;
}

export type OpenTerminal = (options: {
  file: string;
  args: string[];
  env: Record<string, string>;
  cwd: string;
  size: { cols: number; rows: number };
  onData(text: string): void;
  onExit(code: number, signal: number): void;
}) => LocalTerminal;

interface Surroundings {
  cwd: string;
  env: Record<string, string | undefined>;
  shell: string;
}

export function localPty(open: OpenTerminal, request: OpenPtyRequest, { cwd, env, shell }: Surroundings): RunnerPty {
  const listeners = new PtyListeners();
  const all = { ...env, ...request.env, TERM: "xterm-256color", PWD: cwd };
  let ended: () => void = () => undefined;
  const end = new Promise<void>((resolve) => {
    ended = resolve;
  });
  let running = true;
  const terminal = open({
    file: request.command ?? shell,
    args: request.command === undefined ? ["-l"] : (request.args ?? []),
    env: Object.fromEntries(Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined)),
    cwd,
    size: request.size ?? { cols: 80, rows: 24 },
    onData: (text) => listeners.data(text, 0),
    onExit: (code, signal) => {
      running = false;
      listeners.exit(signal === 0 ? code : 128 + signal);
      ended();
    },
  });
  return {
    id: `local-${terminal.pid}`,
    write(text) {
      if (running) terminal.write(text);
      return running;
    },
    resize: async (size) => terminal.resize(size),
    onData: (listener) => listeners.onData(listener),
    onExit: (listener) => listeners.onExit(listener),
    async close() {
      // Its whole session hears the hangup; what ignores it is not ours to find without /proc.
      if (running) process.kill(-terminal.pid, constants.signals.SIGHUP);
      const timer = setTimeout(() => running && process.kill(-terminal.pid, "SIGKILL"), 2000);
      await end;
      clearTimeout(timer);
    },
  };
}
