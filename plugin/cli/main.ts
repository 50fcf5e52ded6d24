// The entry of the CLI: the only file of it that reads the process. Parses, runs one command, closes, exits.
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { codeOf, RemoteError } from "../../protocol/errors.js";
import { PACKAGE_VERSION } from "../../protocol/version.js";
import { packageRoot } from "../bootstrap/package-root.js";
import { createRemote, type Remote } from "../compose.js";
import { openCodeDirectory, readPluginOptions } from "../config/plugin-options.js";
import { anchorShell } from "./anchor-shell.js";
import { approvals } from "./approvals.js";
import { type Invocation, parseArguments, usage } from "./arguments.js";
import { audit } from "./audit.js";
import { connect } from "./connect.js";
import type { CliContext, Command } from "./context.js";
import { exec } from "./exec.js";
import { showFailure } from "./failure.js";
import { hosts } from "./hosts.js";
import { Interrupt } from "./interrupt.js";
import { open } from "./open.js";
import { outputError, ReaderLeft } from "./output.js";
import { Progress } from "./progress.js";
import { setup } from "./setup.js";
import { status } from "./status.js";
import { stop } from "./stop.js";
import { openTerminal } from "./terminal.js";
import { type CommandName, helpText } from "./usage.js";

const RUN: Record<CommandName, Command> = {
  open,
  connect,
  exec,
  hosts,
  setup,
  status,
  stop,
  approvals,
  audit,
  "anchor-shell": anchorShell,
};

const write = (name: "stdout" | "stderr", data: Uint8Array | string) =>
  new Promise<void>((resolve, reject) => {
    process[name].write(data, (error) => {
      if (!error) resolve();
      else reject(outputError(name, error));
    });
  });

async function main(argv: string[]): Promise<number> {
  const verbose = argv.includes("--verbose") || argv.includes("-v");
  // What cannot be parsed is still told in the way that was asked for.
  const guess = { command: argv.find((word) => Object.hasOwn(RUN, word)) as CommandName | undefined };
  const json = argv.slice(0, argv.indexOf("--") === -1 ? undefined : argv.indexOf("--")).includes("--json");
  const interrupt = new Interrupt(process, (status) => process.exit(status));
  const progress = new Progress({
    write: (text) => process.stderr.write(text),
    terminal: process.stderr.isTTY === true,
    verbose,
    columns: process.stderr.columns || 80,
  });
  let remote: Remote | undefined;
  try {
    const invocation = parseArguments(argv, process.cwd());
    const early = informational(invocation);
    if (early !== undefined) {
      await write("stdout", early);
      return 0;
    }
    if (invocation.command === undefined) throw usage("no command was given");
    const context = contextOf(invocation, interrupt, progress);
    remote = context.remote;
    return await RUN[invocation.command](context);
  } catch (error) {
    progress.clear();
    if (interrupt.status !== undefined) return interrupt.status;
    if (error instanceof ReaderLeft) return error.status;
    const shown = showFailure(error, guess.command, json && codeOf(error) !== "output_failed");
    if (verbose && error instanceof Error && !(error instanceof RemoteError)) process.stderr.write(`${error.stack}\n`);
    await write("stderr", shown.stderr).catch(readerIsGone);
    await write("stdout", shown.stdout).catch(readerIsGone);
    return shown.status;
  } finally {
    progress.clear();
    await remote?.close();
    // that says that the connection is closed, too
    progress.clear();
    interrupt.dispose();
  }
}

function informational(invocation: Invocation): string | undefined {
  if (invocation.version) return `${PACKAGE_VERSION}\n`;
  return invocation.help ? helpText(invocation.command) : undefined;
}

function contextOf(invocation: Invocation, interrupt: Interrupt, progress: Progress): CliContext {
  // It made OpenCode's own runtime run us; the OpenCode that we start is to be OpenCode again.
  const { BUN_BE_BUN: _, ...env } = process.env;
  const home = env.HOME ?? homedir();
  const { sshConfigFile, identityFile, port } = invocation.globals;
  const terminal =
    process.stdin.isTTY && process.stderr.isTTY
      ? openTerminal({
          input: process.stdin,
          write: (text) => process.stderr.write(text),
          interrupted: () => interrupt.raise("SIGINT"),
        })
      : undefined;
  const plugin = readPluginOptions(openCodeDirectory(env, home));
  const unattended = {
    config: plugin?.options,
    ...(plugin === undefined ? {} : { configFile: plugin.file }),
    env,
    bundleDirectory: join(packageRoot(import.meta.url), "dist"),
    overrides: { sshConfigFile, identityFile, port },
  };
  const remote = createRemote({
    ...unattended,
    onNotice: (text) => progress.show({ text }),
    ...(terminal === undefined
      ? {}
      : {
          askPassphrase: (file: string) => {
            progress.clear();
            return terminal.secret(`passphrase for ${file}: `);
          },
        }),
  });
  return {
    invocation,
    globals: invocation.globals,
    env,
    home,
    remote,
    unattended: () => createRemote(unattended),
    write,
    stdin: () => process.stdin,
    progress,
    interrupt,
    terminal,
    atExit: (callback) => {
      process.once("exit", callback);
      return { [Symbol.dispose]: () => process.removeListener("exit", callback) };
    },
    program: {
      execPath: process.execPath,
      cliPath: fileURLToPath(import.meta.url),
      isBun: process.versions.bun !== undefined,
      distDirectory: join(packageRoot(import.meta.url), "dist"),
    },
  };
}

function readerIsGone(): void {
  // There is nobody to tell.
}

for (const stream of [process.stdout, process.stderr]) stream.on("error", readerIsGone);
process.exit(await main(process.argv.slice(2)));
