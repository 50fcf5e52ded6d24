// `setup HOST`: the same way that every connection goes, without work behind it; proved by an authenticated answer.
import type { Command } from "./context.js";
import { enforcementLines } from "./enforcement.js";
import { hostOf } from "./host-words.js";
import { printable } from "./printable.js";

export const setup: Command = async ({ invocation, globals, remote, write, progress, interrupt }) => {
  const host = hostOf(invocation.words, "setup");
  const link = await remote.link(host);
  using _ = link.onProgress(progress.show);
  const identity = await link.ready(interrupt.signal);
  const client = await remote.client(host);
  // The approver's exchange proves that this installation may work there, and registers it where it was unknown.
  await client.approver.secret(interrupt.signal);
  const health = await client.health(interrupt.signal);
  progress.clear();
  const { uploaded = false, started = false, root, timings } = link.report ?? {};
  const { hostname, platform, arch, version, stub, enforcement } = health;
  if (globals.json) {
    const facts = { host: link.host, hostname, platform, arch, root, uploaded, started, enforcement, timings };
    await write(
      "stdout",
      `${JSON.stringify({ ...facts, stub: { version, pid: stub.pid, instanceID: stub.instanceID } })}\n`,
    );
    return 0;
  }
  const did = uploaded ? "installed and started" : started ? "started" : "was running already";
  const lines = [
    `${printable(link.host)} (${printable(hostname)}, ${printable(platform)} ${printable(arch)}): the stub ${did}`,
    `  version ${printable(version)}, pid ${stub.pid}, in ${printable(root ?? "")}`,
    ...(await enforcementLines(remote, link.host, enforcement)),
  ];
  if (identity.instanceID !== stub.instanceID) lines.push("  it was started anew meanwhile");
  await write("stdout", `${lines.join("\n")}\n`);
  return 0;
};
