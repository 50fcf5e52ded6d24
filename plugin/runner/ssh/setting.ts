// What the configuration of a host adds to each of its commands: `env`, and `init` (for example `module load gcc/12`).
import type { CommandRequest } from "../../../protocol/command.js";
import { RemoteError } from "../../../protocol/errors.js";
import type { RunCommandRequest } from "../runner.js";

export interface HostSetting {
  env: Record<string, string>;
  /** Text for the host's shell, run before each command; where it fails the command does not run. */
  init: string | undefined;
}

type What = Pick<CommandRequest, "argv" | "command" | "env">;

/** What is to be executed, and with which variables. */
export function applySetting(request: RunCommandRequest, setting: HostSetting): What {
  const env = { ...setting.env, ...request.env };
  const variables = Object.keys(env).length === 0 ? {} : { env };
  const { command, program, args = [] } = request;
  if ((command === undefined) === (program === undefined)) {
    throw new RemoteError("invalid_request", "exactly one of `command` and `program` is needed");
  }
  if (setting.init === undefined) {
    return command === undefined ? { argv: [program as string, ...args], ...variables } : { command, ...variables };
  }
  const text = command ?? `exec ${[program as string, ...args].map(quote).join(" ")}`;
  return { command: `{ ${setting.init}\n} || exit\n${text}`, ...variables };
}

/** For a shell. */
export function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
