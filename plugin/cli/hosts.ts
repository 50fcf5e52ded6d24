// `hosts`: what can be named as HOST. Opens no connection.
import { usage } from "./arguments.js";
import type { Command } from "./context.js";
import { printable } from "./printable.js";
import { table } from "./table.js";

export const hosts: Command = async ({ invocation, globals, remote, write }) => {
  if (invocation.words.length > 0) throw usage("hosts takes no words");
  const all = await remote.hosts();
  if (globals.json) {
    await write("stdout", `${JSON.stringify(all)}\n`);
    return 0;
  }
  if (all.length === 0) {
    await write("stderr", "no hosts are configured; user@host[:port] works everywhere\n");
    return 0;
  }
  const rows = all.map(({ name, aliases, labels, directory, source }) => [
    [name, ...aliases].map(printable).join(", "),
    printable(directory ?? ""),
    labels.map(printable).join(","),
    source === "config" ? "plugin configuration" : "ssh_config",
  ]);
  await write("stdout", `${table(rows).join("\n")}\n`);
  return 0;
};
