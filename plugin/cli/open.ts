// `open HOST[:PATH]`: the one command that a user needs: the host is prepared, its directory gets an anchor here,
// OpenCode serves in the anchor, and the terminal is attached to it through the gateway, which shows the host's files.
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { RemoteError } from "../../protocol/errors.js";
import { OVERRIDES_VARIABLE } from "../compose.js";
import { openCodeDirectory, readPluginOptions } from "../config/plugin-options.js";
import { knownRecord, prepareAnchor } from "../opencode-v1/anchor.js";
import { anchorPaths } from "../opencode-v1/anchor-path.js";
import { Gateway } from "../opencode-v1/gateway/gateway.js";
import { usage } from "./arguments.js";
import type { CliContext, Command } from "./context.js";
import { hostOf, hostPath, splitHostPath } from "./host-words.js";
import { watchOver } from "./leash.js";
import { findOpenCode } from "./opencode-binary.js";
import { OpenCodeServer } from "./opencode-server.js";
import { printable } from "./printable.js";

export const open: Command = async (context) => {
  const { invocation, globals, progress, interrupt, env } = context;
  if (globals.json) throw usage("open has no --json: it is for people");
  const { host, path } = splitHostPath(hostOf(invocation.words, "open"));
  const opencode = await findOpenCode(env, interrupt.signal);
  const directory = await directoryFor(context, host, path);
  const anchor = await prepare(context, host, directory);
  progress.show({ text: `starting OpenCode ${opencode.version}` });
  const server = await OpenCodeServer.start({
    command: opencode.command,
    directory: anchor,
    env: { ...env, ...inheritedOverrides(context) },
    signal: interrupt.signal,
  });
  using _ = context.atExit(() => server.kill("SIGKILL"));
  const remote = context.unattended();
  try {
    await using gateway = await Gateway.open({
      upstream: { port: server.port, authorization: server.authorization },
      directory: anchor,
      stateDir: remote.state.directory,
      runner: remote.runner,
    });
    progress.clear();
    return await attach(context, opencode.command, gateway, anchor);
  } finally {
    await Promise.all([server.close(), remote.close()]);
  }
};

/** The one that was typed, configured, last used, or is asked for. */
async function directoryFor(context: CliContext, host: string, path: string | undefined): Promise<string> {
  const { remote, terminal, progress, interrupt } = context;
  if (path !== undefined) return path;
  const known = (await remote.resolve(host)).directory ?? (await remote.lastDirectory(host));
  if (known !== undefined) return known;
  progress.clear();
  const typed = (await terminal?.line(`directory on ${printable(host)}: `, interrupt.signal))?.trim();
  if (typed) return hostPath(typed);
  throw new RemoteError("directory_required", `no directory of ${host} is known yet`, {
    hint: `open ${host}:~/project, or set \`directory\` for this host`,
  });
}

/** Bootstraps, checks the directory on the host and approves it; gives the anchor. Our connection ends here, OpenCode makes its own. */
async function prepare(context: CliContext, host: string, directory: string): Promise<string> {
  const { remote, progress, interrupt, program, env, home } = context;
  const stateDir = remote.state.directory;
  const known = await knownRecord(anchorPaths(stateDir, host, directory).record);
  const workspaceID = known?.workspaceID ?? (await remote.workspaceID(host, directory));
  const session = await remote.runner.createSession(
    { host, directory, workspaceID, name: host },
    { onProgress: progress.show },
  );
  await session.describe(interrupt.signal);
  await session.close();
  const plugin = readPluginOptions(openCodeDirectory(env, home));
  const entry = pathToFileURL(join(program.distDirectory, "plugin.js")).href;
  const anchor = await prepareAnchor({
    stateDir,
    host,
    directory,
    workspaceID,
    execPath: program.execPath,
    isBun: program.isBun,
    cliPath: program.cliPath,
    ...(plugin === undefined ? { plugin: { specifier: entry } } : {}),
  });
  await remote.rememberDirectory(host, directory);
  await remote.close();
  return anchor.directory;
}

function inheritedOverrides({ globals }: CliContext): Record<string, string> {
  const { sshConfigFile, identityFile, port } = globals;
  if (sshConfigFile === undefined && identityFile === undefined && port === undefined) return {};
  return { [OVERRIDES_VARIABLE]: JSON.stringify({ sshConfigFile, identityFile, port }) };
}

/** OpenCode has the terminal until it ends; its exit status is ours. */
async function attach(context: CliContext, command: string, gateway: Gateway, anchor: string): Promise<number> {
  const { invocation, interrupt, env } = context;
  const client = spawn(command, ["attach", gateway.url, "--dir", anchor, ...(invocation.rest ?? [])], {
    cwd: anchor,
    env: { ...env, OPENCODE_SERVER_PASSWORD: gateway.password, OPENCODE_SERVER_USERNAME: gateway.username },
    stdio: "inherit",
  });
  interrupt.instead(() => client.kill("SIGTERM"));
  using _ = client.pid === undefined ? undefined : watchOver(client.pid);
  try {
    return await new Promise((resolve, reject) => {
      client.once("error", reject);
      client.once("exit", (code, signal) => {
        resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
      });
    });
  } finally {
    interrupt.instead(undefined);
  }
}
