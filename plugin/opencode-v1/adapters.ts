// Workspace adapters: `ssh:<host>` for each host, `ssh-provider` for whatever `extra` names. OpenCode's target is a local
// anchor (its robust way); the host itself is reached by the tools in it. Only behind OpenCode's experimental flag.
import type { PluginInput, WorkspaceAdapter, WorkspaceInfo } from "@opencode-ai/plugin";
import { type Static, Type } from "typebox";
import Value from "typebox/value";
import { RemoteError } from "../../protocol/errors.js";
import { EnforcementWish } from "../../protocol/workspace.js";
import type { HostSummary } from "../compose.js";
import { type PrepareAnchorOptions, prepareAnchor, wishOf } from "./anchor.js";
import { printable } from "./printable.js";
import type { PluginRemote } from "./shared-remotes.js";

export interface AdapterOptions extends Pick<PrepareAnchorOptions, "stateDir" | "execPath" | "cliPath" | "plugin"> {
  remote(): Promise<PluginRemote>;
}

/** A workspace's `extra`. */
const Extra = Type.Object({
  provider: Type.Optional(Type.String()),
  host: Type.Optional(Type.String({ minLength: 1 })),
  labels: Type.Optional(Type.Array(Type.String())),
  directory: Type.Optional(Type.String({ minLength: 1 })),
  /** Instead of what the host's configuration says. */
  enforcement: Type.Optional(EnforcementWish),
  network: Type.Optional(Type.Boolean()),
});
type Extra = Static<typeof Extra>;

/** Never throws: a wrong configuration must not keep OpenCode from starting; it is in OpenCode's log and in every call. */
export async function registerAdapters(input: PluginInput, options: AdapterOptions): Promise<void> {
  const register = input.experimental_workspace.register.bind(input.experimental_workspace);
  register("ssh-provider", adapter("SSH", "a host over SSH, by what `extra` names", options, undefined));
  try {
    const hosts = await (await options.remote()).hosts();
    for (const host of hosts) {
      const description = printable(host.directory ? `${host.name}:${host.directory}` : host.name);
      register(`ssh:${host.name}`, adapter(printable(host.name), `over SSH: ${description}`, options, host));
    }
  } catch (error) {
    const message = `no adapters for hosts: ${(error as Error).message}`;
    await input.client.app.log({ body: { service: "opencode-remote-ssh", level: "error", message } });
  }
}

function adapter(
  name: string,
  description: string,
  options: AdapterOptions,
  fixed: HostSummary | undefined,
): WorkspaceAdapter {
  const anchorOf = async (info: WorkspaceInfo) => {
    const { host, directory } = placeOf(info);
    const wish = wishOf(parseExtra(info.extra));
    const remote = await options.remote();
    return await prepareAnchor({
      ...options,
      host,
      directory,
      ...wish,
      workspaceID: await remote.workspaceID(host, directory),
      ...(info.projectID && info.projectID !== "global" ? { projectID: info.projectID } : {}),
    });
  };
  return {
    name,
    description,
    async configure(info) {
      const extra = parseExtra(info.extra);
      const remote = await options.remote();
      const host = fixed ?? (await choose(remote, extra));
      const directory = extra.directory ?? host.directory ?? (await remote.lastDirectory(host.name));
      if (directory === undefined) {
        throw new RemoteError("directory_required", `no directory is configured for ${host.name}`);
      }
      return {
        ...info,
        name: printable(`${host.name}:${directory}`),
        branch: null,
        extra: { ...extra, host: host.name, directory },
      };
    },
    // `env` holds all of the user's provider credentials: it is not looked at.
    async create(info) {
      const { record } = await anchorOf(info);
      const { host, directory, workspaceID } = record;
      const remote = await options.remote();
      await using session = disposable(
        await remote.runner.createSession({ host, directory, workspaceID, ...wishOf(record) }),
      );
      await session.value.describe();
      await remote.rememberDirectory(host, directory);
    },
    // The anchor stays: its conversations can still be read. What runs on the host is ended by `stop` there.
    async remove() {
      await Promise.resolve();
    },
    async target(info) {
      const { directory } = await anchorOf(info);
      return { type: "local", directory };
    },
  };
}

function parseExtra(extra: unknown): Extra {
  if (extra === null || extra === undefined) return {};
  if (!Value.Check(Extra, extra))
    throw new RemoteError("config_invalid", "extra is {provider?, host?, labels?, directory?, enforcement?, network?}");
  return extra;
}

/** What `configure` stored. */
function placeOf(info: WorkspaceInfo): { host: string; directory: string } {
  const { host, directory } = parseExtra(info.extra);
  if (host === undefined || directory === undefined) {
    throw new RemoteError("config_invalid", `the workspace ${info.name} names no host and directory`);
  }
  return { host, directory };
}

async function choose(remote: PluginRemote, extra: Extra): Promise<HostSummary> {
  const hosts = await remote.hosts();
  const wanted = extra.host;
  if (wanted !== undefined) {
    const known = hosts.find((host) => host.name === wanted || host.aliases.includes(wanted));
    if (known) return known;
    const resolved = await remote.resolve(wanted);
    return { name: wanted, aliases: [], labels: [], directory: resolved.directory, source: "ssh_config" };
  }
  const labels = extra.labels ?? [];
  const found = hosts.find((host) => host.source === "config" && labels.every((label) => host.labels.includes(label)));
  if (!found) throw new RemoteError("host_unknown", "no configured host fits `extra`");
  return found;
}

function disposable<T extends { close(): Promise<void> }>(value: T): { value: T } & AsyncDisposable {
  return { value, [Symbol.asyncDispose]: () => value.close() };
}
