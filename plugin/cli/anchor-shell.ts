// `anchor-shell RECORD -c TEXT`: what the shell of an anchor runs instead of a shell of this machine.
import { readRecord, wishOf } from "../opencode-v1/anchor.js";
import { usage } from "./arguments.js";
import type { Command } from "./context.js";
import { execute } from "./exec.js";

export const anchorShell: Command = async (context) => {
  const [record, extra] = context.invocation.words;
  const { c: command } = context.invocation.options;
  if (record === undefined || extra !== undefined || command === undefined) {
    throw usage("anchor-shell RECORD -c TEXT");
  }
  const found = await readRecord(record);
  const { host, directory, workspaceID } = found;
  // The shell would have done nothing for an empty text; the stub wants at least one character.
  if (command.trim() === "") return 0;
  return await execute(context, {
    host,
    directory,
    workspaceID,
    wish: wishOf(found),
    what: { command },
    env: {},
    yes: false,
  });
};
