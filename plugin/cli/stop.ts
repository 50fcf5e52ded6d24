// `stop HOST`: ends the stub, by its pid and start time.
import type { Command } from "./context.js";
import { hostOf } from "./host-words.js";

export const stop: Command = async ({ invocation, globals, remote, write, progress, interrupt }) => {
  const host = hostOf(invocation.words, "stop");
  progress.show({ text: `connecting to ${host}` });
  const pid = await remote.stop(host, { force: invocation.options.force, signal: interrupt.signal });
  progress.clear();
  if (globals.json) await write("stdout", `${JSON.stringify({ host, stopped: pid !== null, pid })}\n`);
  else await write("stdout", pid === null ? "no stub runs there\n" : `stopped the stub (pid ${pid})\n`);
  return 0;
};
