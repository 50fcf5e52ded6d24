// A terminal of a session: what the host's configuration adds to it, and who listens.
import { RemoteError } from "../../../protocol/errors.js";
import type { Pty, PtyCreate } from "../../../protocol/pty.js";
import type { StubClient } from "../../stub-client/client.js";
import { PtyConnection } from "../../stub-client/pty.js";
import { PtyListeners } from "../pty-listeners.js";
import type { OpenPtyRequest, RunnerPty } from "../runner.js";
import { defined } from "./defined.js";
import { type HostSetting, quote } from "./setting.js";

/** The host's `init` runs before the shell, in bash where there is one, as for commands. */
export function ptyBody(request: OpenPtyRequest, setting: HostSetting): PtyCreate {
  const { command, args, cwd, title, size } = request;
  if (args !== undefined && command === undefined) throw new RemoteError("invalid_request", "`args` without `command`");
  const env = { ...setting.env, ...request.env };
  const variables = Object.keys(env).length === 0 ? {} : { env };
  const common = defined({ cwd, title, size, ...variables });
  if (setting.init === undefined) return { ...common, ...defined({ command, args }) };
  const then = command === undefined ? 'exec "$SHELL" -l' : `exec ${[command, ...(args ?? [])].map(quote).join(" ")}`;
  const script = 'if command -v bash >/dev/null; then exec bash -c "$1"; else exec sh -c "$1"; fi';
  return {
    ...common,
    command: "/usr/bin/env",
    args: ["sh", "-c", script, "sh", `{ ${setting.init}\n} || exit\n${then}`],
  };
}

export function ptyOf(client: StubClient, info: Pty, workspace: string): RunnerPty {
  const listeners = new PtyListeners();
  const connection = new PtyConnection(client, info, workspace, listeners);
  return {
    id: info.id,
    write: (text) => connection.write(text),
    resize: (size) => connection.resize(size),
    onData: (listener) => listeners.onData(listener),
    onExit: (listener) => listeners.onExit(listener),
    close: () => connection.end(),
  };
}
