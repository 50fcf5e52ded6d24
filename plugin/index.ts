// The entry that OpenCode 1.x loads: reads the environment and puts the parts together. OpenCode takes the default
// export's `server`; a plugin that is loaded by path needs the `id`.

import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { PluginModule } from "@opencode-ai/plugin";
import { createRemote } from "./compose.js";
import { statePaths } from "./laptop/state-directory.js";
import { createServerPart } from "./opencode-v1/server.js";

const DEFAULT_TIMEOUT_MS = 120_000;

const bundleDirectory = dirname(fileURLToPath(import.meta.url));

const plugin: PluginModule = {
  id: "opencode-remote-ssh",
  server: createServerPart({
    stateDir: statePaths(process.env, homedir()).directory,
    createRemote: (config) => createRemote({ config, env: process.env, bundleDirectory }),
    execPath: process.execPath,
    cliPath: join(bundleDirectory, "cli.js"),
    pluginURL: import.meta.url,
    commandTimeoutMs: Number(process.env.OPENCODE_EXPERIMENTAL_BASH_DEFAULT_TIMEOUT_MS) || DEFAULT_TIMEOUT_MS,
  }),
};

export default plugin;
