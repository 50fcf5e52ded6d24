// The contract on this machine's own runner.
import { homedir, hostname, tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { rgPath } from "@vscode/ripgrep";
import { createLocalRunner } from "../../plugin/runner/local/provider.js";
import type { OpenTerminal } from "../../plugin/runner/local/pty.js";
import { compilePtyAddon } from "../../scripts/build/pty-addon.js";
import { loadPtyAddon } from "../../stub/pty/addon.js";
import { PtyProcess } from "../../stub/pty/pty-process.js";
import { runnerContract } from "./contract.js";

const ROOT = join(import.meta.dirname, "../..");
const BUILD = { cacheDir: join(ROOT, ".cache/build"), log: { stage: () => undefined, warn: () => undefined } };

/** Terminals by the stub's own part, read as text. */
async function terminals(): Promise<OpenTerminal> {
  const addon = loadPtyAddon(await compilePtyAddon(BUILD, ROOT));
  return (options) => {
    const decoder = new TextDecoder();
    const terminal = new PtyProcess(addon, {
      ...options,
      onData: (bytes) => options.onData(decoder.decode(bytes, { stream: true })),
      onExit: ({ code, signal }) => options.onExit(code, signal),
    });
    return {
      pid: terminal.pid,
      write: (text) => terminal.write(Buffer.from(text)),
      resize: (size) => terminal.resize(size),
    };
  };
}

runnerContract("local", async () => ({
  provider: createLocalRunner({
    hostname: hostname(),
    platform: process.platform,
    arch: process.arch,
    home: homedir(),
    user: userInfo().username,
    shell: "/bin/bash",
    rg: rgPath,
    env: { PATH: process.env.PATH, HOME: homedir() },
    tmpdir: tmpdir(),
    openTerminal: await terminals(),
  }),
  host: "here",
  stop: async () => undefined,
}));
