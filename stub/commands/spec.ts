// From what was admitted to what is executed: checks, the record's first words, and the request to the spawner.
import { RemoteError } from "../../protocol/errors.js";
import type { RunMeta } from "./files.js";
import type { HostEnvironment } from "./host-environment.js";
import type { StartRequest } from "./request.js";
import type { CommandSpec } from "./types.js";

/** Throws `invalid_request`. */
export function checkSpec(spec: CommandSpec): void {
  if ((spec.argv === undefined) === (spec.command === undefined) || spec.argv?.length === 0) {
    throw new RemoteError("invalid_request", "give exactly one of argv and command");
  }
  const strings = [spec.cwd, spec.tmpdir ?? "", spec.command ?? "", spec.confinement?.key ?? "", ...(spec.argv ?? [])];
  for (const [name, value] of Object.entries(spec.env ?? {})) {
    if (name === "" || name.includes("=")) throw new RemoteError("invalid_request", `no name of a variable: ${name}`);
    strings.push(name, value);
  }
  if (strings.some((text) => text.includes("\0"))) throw new RemoteError("invalid_request", "a string contains NUL");
}

export function metaOf(spec: CommandSpec, fingerprint: string, boot: string): RunMeta {
  return {
    commandID: spec.commandID,
    sessionID: spec.sessionID,
    workspaceID: spec.workspaceID,
    title: spec.title,
    cwd: spec.cwd,
    created: Date.now(),
    enforcement: spec.enforcement,
    fingerprint,
    boot,
    ...(spec.hidden === undefined || spec.hidden.length === 0 ? {} : { hidden: spec.hidden }),
    ...(spec.setuid === undefined || spec.setuid.length === 0 ? {} : { setuid: spec.setuid }),
    ...(spec.stdin === undefined ? {} : { stdin: spec.stdin }),
  };
}

export function requestOf(
  spec: CommandSpec,
  host: HostEnvironment,
  rest: Pick<StartRequest, "base" | "meta" | "graceMs" | "logCap">,
): StartRequest {
  const text = spec.command ?? "";
  const asShell = [host.shell, "-c", text];
  const direct = spec.argv === undefined ? host.direct(text, spec.env ?? {}) : undefined;
  return {
    ...rest,
    stdin: spec.stdin === "pipe",
    timeoutMs: spec.timeoutMs ?? 0,
    umask: host.umask,
    cwd: spec.cwd,
    tmpdir: spec.tmpdir ?? "",
    argv: spec.argv ?? direct ?? asShell,
    alternative: direct === undefined ? undefined : asShell,
    confinement: spec.confinement,
    environment: host.block(spec.cwd, spec.env ?? {}),
  };
}
