// `connect HOST`: the stub's HTTP on loopback for curl, until Ctrl-C.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ensureStateDirectory } from "../laptop/state-directory.js";
import type { CliContext, Command } from "./context.js";
import { enforcementLines } from "./enforcement.js";
import { hostOf } from "./host-words.js";
import { printable } from "./printable.js";

/** The approver's secret dies 15 minutes after its last use: it is used more often, milliseconds. */
const KEEP_ALIVE_MS = 5 * 60_000;
/** Limit of saying goodbye, milliseconds. */
const GOODBYE_MS = 3000;

export const connect: Command = async (context) => {
  const { invocation, globals, remote, write, progress, interrupt } = context;
  const host = hostOf(invocation.words, "connect");
  const began = performance.now();
  const link = await remote.link(host);
  const watch = link.onProgress(progress.show);
  const identity = await link.ready(interrupt.signal);
  const client = await remote.client(host);
  const approver = await client.approver.secret(interrupt.signal);
  const health = await client.health(interrupt.signal);
  const port = await remote.localPort(host);
  const ready = performance.now() - began;
  progress.clear();

  const keepAlive = setInterval(() => {
    client.health(interrupt.signal).catch((error: Error) => progress.show({ text: error.message }));
  }, KEEP_ALIVE_MS);
  const headers = globals.json ? undefined : await writeHeaders(context, identity.token, approver);
  try {
    const { version, pid, instanceID } = identity;
    const { ssh = 0, bootstrap = 0, total = 0 } = link.report?.timings ?? {};
    const timings = { ssh: round(ssh), bootstrap: round(bootstrap), connect: round(total), ready: round(ready) };
    const stub = { version, pid, instanceID };
    if (headers === undefined) {
      const { enforcement } = health;
      const facts = { url: port.url, token: identity.token, approver, host: link.host, stub, enforcement, timings };
      await write("stdout", `${JSON.stringify(facts)}\n`);
    } else {
      await write(
        "stdout",
        [
          `connected to ${printable(link.host)} in ${timings.ready} ms: stub ${printable(version)}, pid ${pid}`,
          ...(await enforcementLines(remote, link.host, health.enforcement)),
          `  url      ${port.url}`,
          `  headers  ${headers.file} (token and approver; gone when this ends)`,
          "",
          `  curl -H @${shellWord(headers.file)} ${port.url}/global/health`,
          "",
          "Ctrl-C ends it.",
          "",
        ].join("\n"),
      );
    }
    await untilAborted(interrupt.signal);
    return 0;
  } finally {
    clearInterval(keepAlive);
    watch[Symbol.dispose]();
    await client.endApprover(AbortSignal.timeout(GOODBYE_MS)).catch(ignore);
    await port.close();
    await headers?.remove();
  }
};

/** curl reads them from a file: a token on a command line is seen by every user of the machine. */
async function writeHeaders({ remote }: CliContext, token: string, approver: string) {
  await ensureStateDirectory(remote.state);
  const directory = await mkdtemp(join(remote.state.directory, "connect-"));
  const file = join(directory, "headers");
  await writeFile(file, `authorization: Bearer ${token}\nx-approver: ${approver}\n`, { mode: 0o600 });
  return { file, remove: () => rm(directory, { recursive: true, force: true }) };
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

function shellWord(path: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}

function round(ms: number): number {
  return Math.round(ms * 10) / 10;
}

function ignore(): void {
  // The secret dies by itself.
}
