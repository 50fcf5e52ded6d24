// The plugin's server part for OpenCode 1.x. It runs once per directory: in an anchor it puts the tools on the host,
// everywhere else it only offers the adapters. A directory that is ours but cannot be read is an anchor too, one that fails.
import { realpath } from "node:fs/promises";
import { join } from "node:path";
import type { Hooks, Plugin, PluginInput } from "@opencode-ai/plugin";
import { InFlightJournal, inFlightDirectory } from "../laptop/in-flight.js";
import { registerAdapters } from "./adapters.js";
import { findAnchor } from "./anchor.js";
import { AnchoredHost } from "./anchored-host.js";
import { insideHooks } from "./inside.js";
import { SavedOutput } from "./saved-output.js";
import { type PluginRemote, type RemoteLease, SharedRemotes } from "./shared-remotes.js";
import type { OutputLimits } from "./tools/descriptions.js";

export interface ServerPartOptions {
  /** `$XDG_STATE_HOME/opencode-remote-ssh`. */
  stateDir: string;
  /** Opens no connection. Its calls throw `config_invalid` for wrong options of the plugin's entry. */
  createRemote(options: unknown): PluginRemote;
  /** What runs our CLI from the anchor's shell wrapper. */
  execPath: string;
  cliPath: string;
  /** The `file://` URL of this plugin, for anchors whose own configuration must load it. */
  pluginURL: string;
  /** Of a command, where the model names none. Milliseconds. */
  commandTimeoutMs: number;
}

export function createServerPart(options: ServerPartOptions): Plugin {
  const remotes = new SharedRemotes(options.createRemote);
  return async (input, pluginOptions) => {
    const remote = remotes.lease(pluginOptions);
    if (typeof input.experimental_workspace?.register === "function") {
      await registerAdapters(input, {
        stateDir: options.stateDir,
        execPath: options.execPath,
        cliPath: options.cliPath,
        plugin: { specifier: options.pluginURL, ...(pluginOptions ? { options: pluginOptions } : {}) },
        remote: remote.get,
      });
    }
    const found = await findAnchor(options.stateDir, input.directory);
    if (found.kind === "outside") return { dispose: remote.close };
    return await inside(options, input, found.kind === "bound" ? { record: found.record } : found, remote);
  };
}

async function inside(
  options: ServerPartOptions,
  input: PluginInput,
  found: Pick<ConstructorParameters<typeof AnchoredHost>[0], "record" | "reason">,
  remote: RemoteLease,
): Promise<Hooks> {
  let limits: Pick<OutputLimits, "maxLines" | "maxBytes"> = { maxLines: 2000, maxBytes: 50 * 1024 };
  const host = new AnchoredHost({
    ...found,
    anchor: input.directory,
    runner: async () => (await remote.get()).runner,
    client: input.client,
    saved: new SavedOutput(join(options.stateDir, "output")),
    journal: new InFlightJournal(inFlightDirectory(options.stateDir)),
    seen: async (host, enforcement) => (await remote.get()).enforcementSeen(host, enforcement),
    limits: () => ({ ...limits, timeoutMs: options.commandTimeoutMs }),
  });
  // One more name for the same place: where it has no other, its own.
  const real = await realpath(host.anchor).catch(() => host.anchor);
  return insideHooks({
    host,
    client: input.client,
    anchors: [input.directory, host.anchor, real],
    setLimits: (configured) => {
      limits = configured;
    },
    dispose: async () => {
      await host.close();
      await remote.close();
    },
  });
}
