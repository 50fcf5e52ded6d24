// `status [HOST]`: without a host what this laptop knows, with one what runs there. Looks only: installs and starts nothing.
import { InFlightJournal, inFlightDirectory } from "../laptop/in-flight.js";
import { usage } from "./arguments.js";
import type { CliContext, Command } from "./context.js";
import { hostOf } from "./host-words.js";
import { printable } from "./printable.js";
import { age, commandLines, stubLines } from "./status-text.js";
import { table } from "./table.js";

export const status: Command = async (context) => {
  const { words } = context.invocation;
  if (words.length > 1) throw usage(`status takes one HOST or none; what is "${words[1]}"?`);
  return words.length === 0 ? await ofLaptop(context) : await ofHost(context, hostOf(words, "status"));
};

async function ofLaptop({ remote, globals, write }: CliContext): Promise<number> {
  const [known, hosts, left] = await Promise.all([remote.known(), remote.hosts(), leftBehind(remote.state.directory)]);
  const names = [
    ...new Set([...Object.keys(known), ...hosts.filter((each) => each.source === "config").map(({ name }) => name)]),
  ];
  const all = names.map((name) => {
    const { lastDirectory, lastUsed, uses = 0, stub } = known[name] ?? {};
    return {
      host: name,
      uses,
      lastUsed,
      lastDirectory,
      stubVersion: stub?.version,
      left: left.filter(({ host }) => host === name),
    };
  });
  if (globals.json) {
    await write("stdout", `${JSON.stringify(all)}\n`);
    return 0;
  }
  if (all.length === 0) {
    await write("stderr", "no host was used yet; opencode-remote-ssh hosts lists those that can be\n");
    return 0;
  }
  const rows = all.map(({ host, lastUsed, lastDirectory, stubVersion, left: orphans }) => [
    printable(host),
    lastUsed === undefined ? "never used" : `used ${age(Date.now() - lastUsed)} ago`,
    printable(lastDirectory ?? ""),
    stubVersion === undefined ? "" : `stub ${printable(stubVersion)}`,
    orphans.length === 0 ? "" : `${orphans.length} left behind: status ${printable(host)}`,
  ]);
  await write("stdout", `${table(rows).join("\n")}\n`);
  return 0;
}

async function ofHost({ remote, globals, write, progress, interrupt }: CliContext, host: string): Promise<number> {
  progress.show({ text: `connecting to ${host}` });
  const found = await remote.status(host, interrupt.signal);
  const { name } = await remote.resolve(host);
  const left = (await leftBehind(remote.state.directory)).filter((each) => each.host === name);
  progress.clear();
  if (globals.json) {
    await write("stdout", `${JSON.stringify({ host: name, stub: found === undefined ? null : found, left })}\n`);
    return 0;
  }
  const lines =
    found === undefined
      ? [`${printable(name)}: no stub runs there`]
      : [...stubLines(name, found), ...commandLines(found, new Set(left.map(({ commandID }) => commandID)))];
  await write("stdout", `${lines.join("\n")}\n`);
  return 0;
}

/** Commands that an OpenCode of this laptop started and whose end nobody received. */
function leftBehind(stateDir: string) {
  return new InFlightJournal(inFlightDirectory(stateDir)).orphans();
}
